# The sweep and the report, each a message to a topic.

locals {
  schedules = { for word, schedule in {
    report-requests = var.report_schedule
    sweep-requests  = var.sweep_schedule
  } : word => schedule if schedule != null }
}

resource "google_cloud_scheduler_job" "ask" {
  for_each  = local.schedules
  project   = var.project_id
  region    = var.region
  name      = "${var.deployment}-${each.key}"
  schedule  = each.value
  time_zone = "Etc/UTC"
  pubsub_target {
    topic_name = google_pubsub_topic.topic[each.key].id
    data       = base64encode("{}")
  }
}
