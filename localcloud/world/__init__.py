"""What the stand-in remembers: documents, bytes, time, and work that is due later."""
