"""What becomes of a call that meets a planted fault (world.faults says which it meets).

- What each answer does to the call is told where they are listed (world.faults.ANSWERS); here it is done.
- What is met by no call (a boot, a grant of capacity) is met where it happens, by the names here.
"""

from __future__ import annotations

import io
import os
import signal
import threading
from dataclasses import replace

from localcloud.doors import Answer, Call, Door, Json, enter
from localcloud.doors.errors import ApiError
from localcloud.world.cloud import Cloud, on_start, on_stop
from localcloud.world.faults import Fault

_SILENT_S = 60.0
_STOPPING = "planted.stopping"
INSERT, BOOT, GRANT = "compute.instances.insert", "compute.instances.boot", "compute.resizeRequests.grant"


class CutError(Exception):
    """The caller is to lose the connection."""


def meet(cloud: Cloud, fault: Fault, door: Door, call: Call) -> Json | Answer:
    """Let `call` meet `fault`. Raises ApiError or CutError; or answers, where the fault lies elsewhere."""
    if fault.answer == "timeout":
        cloud.clock.wait_until(cloud.clock.now() + _SILENT_S, cloud.live[_STOPPING])
        raise CutError
    if fault.answer == "reset":
        raise CutError
    if fault.answer == "duplicate":
        return _twice(cloud, door, call)
    if fault.answer == "stockout" and call.method == INSERT:
        cloud.faults.plant(Fault(BOOT, "stockout", match={"name": f"/instances/{call.body.get('name')}"}))
        return enter(cloud, door, call)
    if fault.answer in ("after_effect", "kill"):
        enter(cloud, door, call)
        if fault.answer == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ApiError(503, "planted: the call took effect, the answer is lost")
    if fault.answer == "stockout":
        raise ApiError(503, "planted", status="ZONE_RESOURCE_POOL_EXHAUSTED", reason="stockout")
    if fault.answer == "quota":
        raise ApiError(403, "planted: Quota exceeded.", status="RESOURCE_EXHAUSTED", reason="quotaExceeded")
    raise ApiError(int(fault.answer), "planted")


def _twice(cloud: Cloud, door: Door, call: Call) -> Json | Answer:
    content = call.stream.read()
    answer = enter(cloud, door, replace(call, stream=io.BytesIO(content)))
    try:
        enter(cloud, door, replace(call, stream=io.BytesIO(content)))
    except ApiError:
        return answer  # the second was refused, 409 say: who called once does not learn of it
    return answer


@on_start
def _start(cloud: Cloud) -> None:
    cloud.live[_STOPPING] = threading.Event()


@on_stop
def _stop(cloud: Cloud) -> None:
    cloud.live[_STOPPING].set()
