"""Pure verifiers of evidence: bytes, reference values and a time in; verdict and reasons out."""
