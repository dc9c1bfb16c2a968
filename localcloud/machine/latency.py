"""How long things take, in seconds of the stand-in's clock: gentle, so that a demonstration is short.

One table. Google takes minutes for most of these.
"""

from __future__ import annotations

SECONDS = {
    "boot": 0.2,
    "stop": 0.1,
    "delete": 0.1,
    "template": 0.05,
    "group": 0.1,
    "reservation": 0.1,
    "capacity": 0.5,  # a flex-start request, from accepted to granted
}
GRACE_S = 5.0  # real time between SIGTERM and SIGKILL when a machine is stopped (Google: up to 120 s)
