"""The part of Google's Compute library that is called here, without the rest.

`import google.cloud.compute_v1` loads the clients of more than a hundred services: over a second of a cold
start. The six that are called, and the messages, take half of it. So the package's own first lines are left
out while these are imported; whoever imports the package afterwards gets all of it, as ever.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from functools import cache
from types import ModuleType
from typing import Any

PACKAGE = "google.cloud.compute_v1"
SERVICES = {
    "InstancesClient": "instances",
    "InstanceTemplatesClient": "instance_templates",
    "InstanceGroupManagersClient": "instance_group_managers",
    "InstanceGroupManagerResizeRequestsClient": "instance_group_manager_resize_requests",
    "ReservationsClient": "reservations",
    "ZoneOperationsClient": "zone_operations",
    "GlobalOperationsClient": "global_operations",
}
_LOCK = threading.Lock()


def client(name: str) -> Any:
    """The client class of that name."""
    return getattr(_imported(f"{PACKAGE}.services.{SERVICES[name]}"), name)


def message(name: str) -> Any:
    """The message class of that name."""
    return getattr(_imported(f"{PACKAGE}.types.compute"), name)


@cache
def _imported(name: str) -> ModuleType:
    with _LOCK:
        if PACKAGE in sys.modules:
            return importlib.import_module(name)
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None:
            raise ModuleNotFoundError(PACKAGE, name=PACKAGE)
        # It has the package's path, so what is below can be found; its own code has not run.
        sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
        try:
            return importlib.import_module(name)
        finally:
            del sys.modules[PACKAGE]
