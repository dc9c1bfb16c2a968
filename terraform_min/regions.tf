# Everything that lies in a region, once per region; nothing is shared between them but the project.

module "region" {
  source   = "./region"
  for_each = local.regions

  approved_images         = var.approved_images
  archive                 = var.archive
  attestation_root        = var.attestation_root == "" ? "" : file(var.attestation_root)
  auditors                = var.auditors
  blueprint               = local.blueprint
  budgeted                = var.billing_account != null
  channels                = var.enable_monitoring ? local.channels : []
  deployment              = each.value.deployment
  evidence_retention_days = var.evidence_retention_days
  key_rotation_period     = var.key_rotation_period
  owners                  = var.owners
  project_id              = var.project_id
  project_number          = data.google_project.this.number
  region                  = each.key
  report_schedule         = var.report_schedule
  subnetwork_range        = each.value.subnetwork_range
  sweep_schedule          = var.sweep_schedule
  trainer                 = var.trainer
  wait_for_iam            = var.wait_for_iam
  workflows               = var.workflows

  depends_on = [google_project_service.api]
}
