"""A stand-in for the part of Google Cloud that a journey uses, on one machine.

It knows nothing of Sealtrain. Rooms: `world` (what the cloud remembers, its clock), `identity` (who calls,
who may), `doors` (Google's API paths), `workflows` (the language), `machine` (virtual machines that run).
"""
