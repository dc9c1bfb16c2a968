"""A trainer that misbehaves, for the journeys."""
