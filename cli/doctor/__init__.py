"""The checks of `sealtrain doctor`, one file each; each gives a report that the verb prints."""
