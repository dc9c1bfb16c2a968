# Data access logs: who used a key, read data, asked for a token. Off by default on Google.

resource "google_project_iam_audit_config" "service" {
  for_each = {
    "cloudkms.googleapis.com"              = ["DATA_READ"] # who opened a data key; in the run's bundle
    "confidentialcomputing.googleapis.com" = ["DATA_READ", "DATA_WRITE"]
    "storage.googleapis.com"               = ["DATA_READ", "DATA_WRITE"]
  }
  project = var.project_id
  service = each.key
  dynamic "audit_log_config" {
    for_each = toset(each.value)
    content {
      log_type = audit_log_config.value
    }
  }
}
