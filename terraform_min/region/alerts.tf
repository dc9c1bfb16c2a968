# What somebody is told about. Each policy names the channels; without a channel there is no policy.
# - integrity: a machine booted something else than before.
# - refused: an attestation was refused, or the platform's log raised an alarm.
# - silence: the sweep, the net below everything, was not called for an hour and a half.
# - dead letters: a message was given up.
# - orphan: something outlived its run.

locals {
  alerts_on    = length(var.channels) > 0
  function_log = "resource.type=\"cloud_run_revision\" AND resource.labels.location=\"${var.region}\""
}

resource "google_monitoring_alert_policy" "integrity" {
  count                 = local.alerts_on ? 1 : 0
  project               = var.project_id
  display_name          = "${var.deployment} ${var.region}: boot integrity failed"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = var.channels
  dynamic "conditions" {
    for_each = toset(["early", "late"])
    content {
      display_name = "${conditions.value} boot validation failed"
      condition_threshold {
        filter          = "resource.type=\"gce_instance\" AND metric.type=\"compute.googleapis.com/instance/integrity/${conditions.value}_boot_validation_status\" AND metric.labels.status=\"failed\""
        comparison      = "COMPARISON_GT"
        threshold_value = 0
        duration        = "0s"
        aggregations {
          alignment_period   = "60s"
          per_series_aligner = "ALIGN_COUNT"
        }
      }
    }
  }
  documentation {
    content = "A machine of ${var.deployment} booted something else than before. Its run's key is disabled and its teardown asked for; see the run's report."
  }
}

resource "google_monitoring_alert_policy" "refused" {
  count                 = local.alerts_on ? 1 : 0
  project               = var.project_id
  display_name          = "${var.deployment} ${var.region}: evidence refused"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = var.channels
  conditions {
    display_name = "a function refused evidence or saw an alarm"
    condition_matched_log {
      filter = "${local.function_log} AND ((resource.labels.service_name=\"verify-evidence\" AND severity>=WARNING) OR (jsonPayload.event=\"attestation.recorded\" AND jsonPayload.alarm!=\"\"))"
    }
  }
  alert_strategy {
    notification_rate_limit {
      period = "300s"
    }
  }
  documentation {
    content = "`sealtrain logs RUN` tells which run and why. The key's version is disabled; what was released before stays released."
  }
}

resource "google_monitoring_alert_policy" "silence" {
  count                 = local.alerts_on ? 1 : 0
  project               = var.project_id
  display_name          = "${var.deployment} ${var.region}: the sweep is silent"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = var.channels
  conditions {
    display_name = "no call of sweep"
    condition_absent {
      filter   = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"sweep\" AND resource.labels.location=\"${var.region}\" AND metric.type=\"run.googleapis.com/request_count\""
      duration = "5400s"
      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_COUNT"
      }
    }
  }
  documentation {
    content = "Nobody looks for what outlives its run. Check the schedule ${var.deployment}-sweep-requests and the subscription ${var.deployment}-sweep-requests-push."
  }
}

resource "google_monitoring_alert_policy" "dead_letters" {
  count                 = local.alerts_on ? 1 : 0
  project               = var.project_id
  display_name          = "${var.deployment} ${var.region}: dead letters"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = var.channels
  conditions {
    display_name = "a message was given up"
    condition_threshold {
      filter          = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.dead_letters.name}\" AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }
  documentation {
    content = "A listener refused a message too often. Look: gcloud pubsub subscriptions pull ${google_pubsub_subscription.dead_letters.name}"
  }
}

resource "google_monitoring_alert_policy" "orphan" {
  count                 = local.alerts_on ? 1 : 0
  project               = var.project_id
  display_name          = "${var.deployment} ${var.region}: something outlived its run"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.channels
  conditions {
    display_name = "the sweep asked for a teardown"
    condition_matched_log {
      filter = "${local.function_log} AND jsonPayload.event=\"runs.swept\" AND jsonPayload.count>0"
    }
  }
  alert_strategy {
    notification_rate_limit {
      period = "300s"
    }
  }
  documentation {
    content = "`sealtrain runs` and `sealtrain teardown RUN` show and remove what stands."
  }
}
