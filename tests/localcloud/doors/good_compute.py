"""One good request for every method of Compute Engine."""

from __future__ import annotations

from tests.localcloud.doors.good_request import ACCOUNT, Good, Json

SPACE = "projects/confidential-space-images/global/images/family/confidential-space"
MACHINE: Json = {
    "machineType": "n2d-standard-2",
    "disks": [
        {"boot": True, "autoDelete": True, "initializeParams": {"sourceImage": SPACE, "diskSizeGb": "11"}}
    ],
    "networkInterfaces": [{"network": "global/networks/default"}],
    "confidentialInstanceConfig": {"confidentialInstanceType": "SEV"},
    "scheduling": {"onHostMaintenance": "TERMINATE", "automaticRestart": False},
    "metadata": {"items": [{"key": "good", "value": "yes"}]},
}
FLEX: Json = {
    **MACHINE,
    "machineType": "a3-highgpu-1g",
    "disks": [{"boot": True, "initializeParams": {"sourceImage": SPACE, "diskSizeGb": "30"}}],
    "confidentialInstanceConfig": {"confidentialInstanceType": "TDX"},
    "scheduling": {
        "provisioningModel": "FLEX_START",
        "onHostMaintenance": "TERMINATE",
        "instanceTerminationAction": "DELETE",
        "maxRunDuration": {"seconds": "600"},
    },
    "reservationAffinity": {"consumeReservationType": "NO_RESERVATION"},
}

COMPUTE = [
    Good("compute.zones.get"),
    Good("compute.zones.list"),
    Good("compute.machineTypes.get"),
    Good("compute.images.get", place={"project": "confidential-space-images"}),
    Good("compute.images.getFromFamily", place={"project": "confidential-space-images"}),
    Good("compute.instanceTemplates.insert", {"name": "good", "properties": FLEX}, learn={"global": "name"}),
    Good("compute.globalOperations.get", place={"operation": "{global}"}),
    Good("compute.globalOperations.list"),
    Good("compute.globalOperations.wait", place={"operation": "{global}"}),
    Good("compute.instanceTemplates.get"),
    Good("compute.instanceTemplates.list"),
    Good(
        "compute.reservations.insert",
        {
            "name": "good",
            "specificReservation": {"count": "1", "instanceProperties": {"machineType": "n2d-standard-2"}},
            "deleteAfterDuration": {"seconds": "3600"},
        },
    ),
    Good("compute.reservations.get"),
    Good("compute.reservations.list"),
    Good("compute.reservations.aggregatedList"),
    Good(
        "compute.instanceGroupManagers.insert",
        {
            "name": "good",
            "instanceTemplate": "global/instanceTemplates/good",
            "targetSize": 0,
            "instanceLifecyclePolicy": {"defaultActionOnFailure": "DO_NOTHING"},
        },
    ),
    Good("compute.instanceGroupManagers.get"),
    Good("compute.instanceGroupManagers.list"),
    Good("compute.instanceGroupManagers.aggregatedList"),
    Good("compute.instanceGroupManagers.listManagedInstances"),
    Good("compute.instanceGroupManagerResizeRequests.insert", {"name": "good", "resizeBy": 1}),
    Good("compute.instanceGroupManagerResizeRequests.get"),
    Good("compute.instanceGroupManagerResizeRequests.list"),
    Good("compute.instanceGroupManagerResizeRequests.cancel"),
    Good("compute.instanceGroupManagerResizeRequests.delete"),
    Good(
        "compute.instances.insert",
        {"name": "good", "serviceAccounts": [{"email": ACCOUNT}], **MACHINE},
        learn={"operation": "name"},
    ),
    Good("compute.zoneOperations.get"),
    Good("compute.zoneOperations.list"),
    Good("compute.zoneOperations.wait"),
    Good("compute.instances.get"),
    Good("compute.instances.list", query={"filter": "labels.good=yes"}),
    Good("compute.instances.aggregatedList"),
    Good("compute.instances.getSerialPortOutput"),
    Good("compute.instances.simulateMaintenanceEvent"),
    Good("compute.instances.stop"),
]
