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
