"""One thin file per Google API; the only room that imports google.*."""
