"""Who calls (tokens, metadata servers) and who may (policies, roles, conditions)."""
