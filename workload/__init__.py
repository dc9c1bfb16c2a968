"""The trusted computing base: what runs inside the attested VM beside the trainer."""
