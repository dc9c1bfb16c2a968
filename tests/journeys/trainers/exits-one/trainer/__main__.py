"""Fails at once."""

import sys

sys.exit(1)
