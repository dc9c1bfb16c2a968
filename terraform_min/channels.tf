# Who is told.

resource "google_monitoring_notification_channel" "email" {
  for_each     = toset(var.alert_emails)
  project      = var.project_id
  type         = "email"
  display_name = "${var.deployment}: ${each.key}"
  labels       = { email_address = each.key }
  depends_on   = [google_project_service.api]
}

locals {
  channels = [for channel in google_monitoring_notification_channel.email : channel.name]
}

# An alert that reaches nobody is none, so none is made; but that should be somebody's decision.
check "somebody_is_told" {
  assert {
    condition     = !var.enable_monitoring || length(var.alert_emails) > 0
    error_message = "No alerts are made: enable_monitoring is on but nobody is named. Set alert_emails, or enable_monitoring = false."
  }
}
