# Custom roles hold exactly what one line of the step table, or one grant of the platform, needs.
# A role with a single permission bears that permission's name and is shared.

locals {
  roles = merge(
    var.blueprint.roles,
    { for permission in local.platform_permissions : permission => [permission] },
    {
      "workflow.executions" = ["workflows.executions.create", "workflows.executions.get"]
      "auditor.evidence"    = ["storage.objects.get", "storage.objects.list"]
      "auditor.bundle"      = ["cloudkms.cryptoKeyVersions.get", "cloudkms.cryptoKeyVersions.list", "cloudkms.cryptoKeyVersions.viewPublicKey"]
      "auditor.tables"      = ["bigquery.datasets.get", "bigquery.tables.get", "bigquery.tables.getData", "bigquery.tables.list"]

      # roles/confidentialcomputing.workloadUser without the right to write log entries (see grants.tf) and to list
      # locations, which the launcher does only to say which there are when its own cannot be had.
      "workload.attestation" = ["confidentialcomputing.challenges.create", "confidentialcomputing.challenges.verify", "confidentialcomputing.locations.get"]
    },
  )
  platform_permissions = [
    "bigquery.jobs.create",
    "cloudkms.cryptoKeyVersions.useToDecrypt",
    "cloudkms.cryptoKeyVersions.useToEncrypt",
    "iam.serviceAccounts.getAccessToken",
    "pubsub.topics.publish",
    "storage.objects.create",
    "storage.objects.get",
  ]
}

resource "google_project_iam_custom_role" "role" {
  for_each    = local.roles
  role_id     = replace("${var.deployment}.${each.key}", "-", "_")
  title       = "${var.deployment} ${each.key}"
  description = "Exactly what one grant of ${var.deployment} needs"
  permissions = sort(each.value)
  stage       = "GA"
}
