"""Example trainer: a classifier for CSV tables (standardised logistic regression)."""
