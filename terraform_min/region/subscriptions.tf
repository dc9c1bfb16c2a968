# Every listener's topic is pushed to it with an OIDC identity, repeated with growing pauses, and given up into
# the dead letters, which are kept for a week for somebody to look at.

resource "google_pubsub_subscription" "push" {
  for_each = local.listeners
  project  = var.project_id
  name     = "${var.deployment}-${each.key}-push"
  topic    = google_pubsub_topic.topic[each.key].id
  labels   = local.labels

  # A delivery is not repeated while the function still works on it.
  ack_deadline_seconds = min(max(each.value.timeout_s, 10), 600)
  push_config {
    push_endpoint = local.url[each.value.name]
    oidc_token {
      service_account_email = google_service_account.account["push"].email
      audience              = local.url[each.value.name]
    }
  }
  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "600s"
  }
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.topic["dead-letters"].id
    max_delivery_attempts = 30
  }
  expiration_policy {
    ttl = "" # never
  }
  depends_on = [google_cloudfunctions2_function.function]
}

resource "google_pubsub_subscription" "dead_letters" {
  project                    = var.project_id
  name                       = "${var.deployment}-dead-letters-kept"
  topic                      = google_pubsub_topic.topic["dead-letters"].id
  labels                     = local.labels
  message_retention_duration = "604800s"
  expiration_policy {
    ttl = "" # never
  }
}
