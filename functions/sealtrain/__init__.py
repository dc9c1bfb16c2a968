"""Sealtrain: train a model inside an attested confidential VM and prove it."""
