"""Mutated evidence over all verifiers: `make fuzz`, and a short dose in the tests."""
