"""The trainer contract in twenty lines, without any library."""
