"""What Pub/Sub, storage events and the scheduler start; one file each."""
