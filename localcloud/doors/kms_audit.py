"""Audit entries (Data Access) for uses of keys, written when the project's policy asks for them.

The project's IAM policy says so in `auditConfigs`: service cloudkms.googleapis.com or allServices, log
type DATA_READ. A refused use is recorded too, with its status code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud.doors import Call, require
from localcloud.doors.errors import ApiError
from localcloud.world.cloud import Cloud
from localcloud.world.events import deliver_log

Json = dict[str, Any]

_SERVICE = "cloudkms.googleapis.com"
_CODES = {400: 3, 403: 7, 404: 5}  # HTTP to google.rpc.Code


def audited(
    cloud: Cloud, call: Call, method: str, permission: str, use: Callable[[Cloud, Call], Json]
) -> Json:
    """Check the permission, do `use` in one transaction, and record that it was done or refused."""
    code = 0
    try:
        require(cloud, call, permission, call.params["name"])
        with cloud.store.transaction():
            return use(cloud, call)
    except ApiError as error:
        code = _CODES.get(error.code, 13)
        raise
    finally:
        if _wanted(cloud):
            deliver_log(cloud, _entry(cloud, call, method, permission, code))


def _wanted(cloud: Cloud) -> bool:
    configs = cloud.iam.policy(f"projects/{cloud.project}").get("auditConfigs", [])
    return any(
        config.get("service") in (_SERVICE, "allServices")
        and any(log.get("logType") == "DATA_READ" for log in config.get("auditLogConfigs", []))
        for config in configs
    )


def _entry(cloud: Cloud, call: Call, method: str, permission: str, code: int) -> Json:
    name = call.params["name"]
    parts = name.split("/")
    return {
        "logName": f"projects/{cloud.project}/logs/cloudaudit.googleapis.com%2Fdata_access",
        "severity": "ERROR" if code else "INFO",
        "resource": {
            "type": "cloudkms_cryptokey",
            "labels": {
                "project_id": cloud.project,
                "location": parts[3],
                "key_ring_id": parts[5],
                "crypto_key_id": parts[7],
            },
        },
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "serviceName": _SERVICE,
            "methodName": method,
            "resourceName": name,
            "authenticationInfo": {
                "principalEmail": call.caller.email,
                "principalSubject": call.caller.principal,
            },
            "authorizationInfo": [
                {"resource": name, "permission": permission, "granted": code != _CODES[403]}
            ],
            "status": {"code": code} if code else {},
        },
    }
