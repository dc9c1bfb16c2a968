"""Virtual machines that run: what fits together, the process that is a machine, what happens inside it."""
