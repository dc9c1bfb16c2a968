# The workflows, under the workflow account; their variables and arguments rest under the storage key.

resource "google_workflows_workflow" "workflow" {
  for_each            = { for name in ["tear_down", "train"] : name => "${var.workflows}/${name}.workflows.yaml" }
  project             = var.project_id
  region              = var.region
  name                = each.key
  source_contents     = file(each.value)
  service_account     = google_service_account.account["workflow"].email
  crypto_key_name     = google_kms_crypto_key.ours["storage"].id
  call_log_level      = "LOG_ERRORS_ONLY"
  labels              = local.labels
  deletion_protection = false # scripts/destroy.sh removes it
  depends_on          = [terraform_data.keys_usable]
}
