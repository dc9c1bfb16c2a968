"""Building and pushing trainers' images: tools of the author, never part of an image."""
