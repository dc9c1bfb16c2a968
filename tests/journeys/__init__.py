"""Whole stories, on the whole product: real functions, real workflow, real VM processes, one stand-in."""
