"""Example trainer: a small neural network for CSV tables of numbers, with checkpoints."""
