"""The checks of `sealtrain doctor`, one file per subject; each gives lines that the verb prints."""
