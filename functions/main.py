"""Every entry point, one line each: wiring, no decisions. Only this file knows the framework.

A process serves one of them (FUNCTION_TARGET); the others stay unimported names.
"""

import gc
import os

from functions_framework import cloud_event, http
from sealtrain.edge import listener, step

# Google's libraries make thousands of classes, which stay. Looking for garbage among them while they are
# imported finds none and takes a quarter of the import; so it is looked for less often.
gc.set_threshold(50_000, 20, 20)

admit_run = http(step("admit_run", os.environ))
plan_capacity = http(step("plan_capacity", os.environ))
create_key = http(step("create_key", os.environ))
create_bucket = http(step("create_bucket", os.environ))
seal_dataset = http(step("seal_dataset", os.environ))
reserve_capacity = http(step("reserve_capacity", os.environ))
start_vm = http(step("start_vm", os.environ))
verify_evidence = http(step("verify_evidence", os.environ))
submit_job = http(step("submit_job", os.environ))
publish_model = http(step("publish_model", os.environ))
close_run = http(step("close_run", os.environ))

start_run = cloud_event(listener("start_run", os.environ))
record_completion = cloud_event(listener("record_completion", os.environ))
record_attestation = cloud_event(listener("record_attestation", os.environ))
report_compliance = cloud_event(listener("report_compliance", os.environ))
guard_budget = cloud_event(listener("guard_budget", os.environ))
tear_down = cloud_event(listener("tear_down", os.environ))
sweep = cloud_event(listener("sweep", os.environ))
