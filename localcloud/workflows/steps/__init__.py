"""What each kind of step does, one file a kind; `compile.py` puts them together."""
