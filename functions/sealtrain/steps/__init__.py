"""What the workflow calls; one file, one verb."""
