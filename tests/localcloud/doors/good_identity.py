"""One good request for every method of IAM, Resource Manager, Run and KMS."""

from __future__ import annotations

from tests.localcloud.doors.good_request import OWNER, POLICY, Good, L, policies

_KEYS = "cloudkms.projects.locations.keyRings"
_KEY, _VERSION = f"{_KEYS}.cryptoKeys", f"{_KEYS}.cryptoKeys.cryptoKeyVersions"
_SIGNER = {"name": f"{L}/keyRings/good/cryptoKeys/signer/cryptoKeyVersions/1"}
_SECOND = {"name": f"{L}/keyRings/good/cryptoKeys/good/cryptoKeyVersions/2"}
_POOLS = "iam.projects.locations.workloadIdentityPools"
DIGEST = {"digest": {"sha256": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="}}
_OWNERS = {
    "version": 3,
    "bindings": [
        {"role": "roles/owner", "members": [OWNER]},
        {"role": "roles/localcloud.keyboard", "members": ["user:you@localhost"]},
    ],
}

IAM = [
    Good("iam.projects.serviceAccounts.create", {"accountId": "good-account"}),
    Good("iam.projects.serviceAccounts.get"),
    Good("iam.projects.serviceAccounts.list"),
    *policies("iam.projects.serviceAccounts"),
    Good(
        "iam.projects.roles.create",
        {"roleId": "good.role", "role": {"title": "Good", "includedPermissions": ["storage.objects.get"]}},
    ),
    Good("iam.projects.roles.get"),
    Good("iam.roles.get", place={"name": "roles/storage.objectViewer"}),
    Good(f"{_POOLS}.create", {"displayName": "Good"}, {"workloadIdentityPoolId": "good-pool"}),
    Good(f"{_POOLS}.get"),
    Good(f"{_POOLS}.list"),
    Good(
        f"{_POOLS}.providers.create",
        {
            "oidc": {"issuerUri": "https://confidentialcomputing.googleapis.com"},
            "attributeMapping": {"google.subject": "assertion.sub"},
        },
        {"workloadIdentityPoolProviderId": "good-provider"},
    ),
    Good(f"{_POOLS}.providers.get"),
    Good(f"{_POOLS}.providers.list"),
    Good(f"{_POOLS}.providers.patch", {"displayName": "Better"}, {"updateMask": "displayName"}),
    Good("cloudresourcemanager.projects.get"),
    *policies("cloudresourcemanager.projects", bindings=_OWNERS),
    Good("run.projects.locations.services.setIamPolicy", {"policy": POLICY}),
    Good("run.projects.locations.services.getIamPolicy"),
    Good("run.projects.locations.services.testIamPermissions", {"permissions": ["run.routes.invoke"]}),
]
KMS = [
    Good(f"{_KEYS}.create", {}, {"keyRingId": "good"}),
    Good(f"{_KEYS}.get"),
    Good(f"{_KEYS}.list"),
    *policies(_KEYS),
    Good(
        f"{_KEY}.create",
        {
            "purpose": "ENCRYPT_DECRYPT",
            "versionTemplate": {"protectionLevel": "HSM"},
            "rotationPeriod": "2592000s",
            "nextRotationTime": "2099-01-01T00:00:00Z",
            "destroyScheduledDuration": "86400s",
        },
        {"cryptoKeyId": "good"},
    ),
    Good(
        f"{_KEY}.create",
        {"purpose": "ASYMMETRIC_SIGN", "versionTemplate": {"algorithm": "EC_SIGN_P256_SHA256"}},
        {"cryptoKeyId": "signer"},
    ),
    Good(f"{_KEY}.get"),
    Good(f"{_KEY}.list", query={"pageSize": 1}),
    Good(f"{_KEY}.patch", {"labels": {"good": "yes"}}, {"updateMask": "labels"}),
    *policies(_KEY),
    Good(f"{_VERSION}.create", {}),
    Good(f"{_VERSION}.get"),
    Good(f"{_VERSION}.list"),
    Good(f"{_VERSION}.patch", {"state": "ENABLED"}, {"updateMask": "state"}, _SECOND),
    Good(f"{_VERSION}.destroy", {}, place=_SECOND),
    Good(f"{_VERSION}.restore", {}, place=_SECOND),
    Good(f"{_VERSION}.asymmetricSign", DIGEST, place=_SIGNER),
    Good(f"{_VERSION}.getPublicKey", place=_SIGNER),
    Good(f"{_KEY}.encrypt", {"plaintext": "Z29vZA=="}, learn={"ciphertext": "ciphertext"}),
    Good(f"{_KEY}.decrypt", {"ciphertext": "{ciphertext}"}),
    Good(f"{_KEY}.updatePrimaryVersion", {"cryptoKeyVersionId": "1"}),
    Good(f"{_VERSION}.delete", place=_SECOND, passes=False),  # not destroyed yet
    Good(f"{_KEYS}.create", {}, {"keyRingId": "brief"}),
    Good(
        f"{_KEY}.create",
        {"purpose": "ENCRYPT_DECRYPT"},
        {"cryptoKeyId": "brief", "skipInitialVersionCreation": "true"},
        {"parent": f"{L}/keyRings/brief"},
    ),
    Good(f"{_KEY}.delete", place={"name": f"{L}/keyRings/brief/cryptoKeys/brief"}),
    Good(f"{_KEYS}.delete", place={"name": f"{L}/keyRings/brief"}),
    Good("cloudkms.projects.locations.retiredResources.list", learn={"retired": "retiredResources.0.name"}),
    Good("cloudkms.projects.locations.retiredResources.get", place={"name": "{retired}"}),
]
