"""Pure rules: no network, no clock, no environment."""
