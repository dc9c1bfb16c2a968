"""How long a machine that is stopped gets. What takes the stand-in's time: localcloud/world/weather.py."""

GRACE_S = 5.0  # real time between SIGTERM and SIGKILL when a machine is stopped (Google: up to 120 s)
