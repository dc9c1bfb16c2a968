"""Run cases of evidence with expected verdicts: `python -m tests.vectors MANIFEST`."""
