# What somebody is told about. Each policy names the channels; without a channel there is no policy.
# `above_zero` and `absent` watch a metric, `logged` a log entry.

locals {
  function_log = "resource.type=\"cloud_run_revision\" AND resource.labels.location=\"${var.region}\""
  alerts = {
    integrity = {
      title    = "boot integrity failed"
      severity = "CRITICAL"
      above_zero = { for phase in ["early", "late"] : "${phase} boot validation failed" => {
        filter  = "resource.type=\"gce_instance\" AND metric.type=\"compute.googleapis.com/instance/integrity/${phase}_boot_validation_status\" AND metric.labels.status=\"failed\""
        aligner = "ALIGN_COUNT"
      } }
      text = "A machine of ${var.deployment} booted something else than before. Its run's key is disabled and its teardown asked for; see the run's report."
    }
    refused = {
      title    = "evidence refused"
      severity = "CRITICAL"
      logged = { "a function refused evidence or saw an alarm" = {
        filter = "((resource.labels.service_name=\"verify-evidence\" AND severity>=WARNING) OR (jsonPayload.event=\"attestation.recorded\" AND jsonPayload.alarm!=\"\"))"
        pause  = "300s"
      } }
      text = "`sealtrain logs RUN` tells which run and why. The key's version is disabled; what was released before stays released."
    }
    silence = {
      title    = "the sweep is silent"
      severity = "ERROR"
      absent = { "no call of sweep for an hour and a half" = {
        filter   = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"sweep\" AND resource.labels.location=\"${var.region}\" AND metric.type=\"run.googleapis.com/request_count\""
        duration = "5400s"
      } }
      text = "Nobody looks for what outlives its run. Check the schedule ${var.deployment}-sweep-requests and the subscription ${var.deployment}-sweep-requests-push."
    }
    dead_letters = {
      title    = "dead letters"
      severity = "ERROR"
      above_zero = { "a message was given up" = {
        filter  = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.dead_letters.name}\" AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\""
        aligner = "ALIGN_MAX"
      } }
      text = "A listener refused a message too often. Look: gcloud pubsub subscriptions pull ${google_pubsub_subscription.dead_letters.name}"
    }
    orphan = {
      title    = "something outlived its run"
      severity = "WARNING"
      logged = { "the sweep asked for a teardown" = {
        filter = "jsonPayload.event=\"runs.swept\" AND jsonPayload.count>0"
        pause  = "300s"
      } }
      text = "`sealtrain runs` and `sealtrain teardown RUN` show and remove what stands."
    }
    budget = {
      title    = "the budget is spent"
      severity = "ERROR"
      logged = { "new runs are refused" = {
        filter = "jsonPayload.event=\"budget.judged\" AND jsonPayload.paused=true"
        pause  = "86400s" # it is said several times a day, for the rest of the month
      } }
      text = "No new run is admitted until the month ends. Sooner: raise budget_usd, apply, then `sealtrain resume`."
    }
  }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each              = { for word, alert in local.alerts : word => alert if length(var.channels) > 0 }
  project               = var.project_id
  display_name          = "${var.deployment} ${var.region}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = var.channels
  dynamic "conditions" {
    for_each = try(each.value.above_zero, {})
    content {
      display_name = conditions.key
      condition_threshold {
        filter          = conditions.value.filter
        comparison      = "COMPARISON_GT"
        threshold_value = 0
        duration        = "0s"
        aggregations {
          alignment_period   = "60s"
          per_series_aligner = conditions.value.aligner
        }
      }
    }
  }
  dynamic "conditions" {
    for_each = try(each.value.absent, {})
    content {
      display_name = conditions.key
      condition_absent {
        filter   = conditions.value.filter
        duration = conditions.value.duration
        aggregations {
          alignment_period   = "300s"
          per_series_aligner = "ALIGN_COUNT"
        }
      }
    }
  }
  dynamic "conditions" {
    for_each = try(each.value.logged, {})
    content {
      display_name = conditions.key
      condition_matched_log {
        filter = "${local.function_log} AND ${conditions.value.filter}"
      }
    }
  }
  dynamic "alert_strategy" {
    for_each = try(each.value.logged, {})
    content {
      notification_rate_limit {
        period = alert_strategy.value.pause
      }
    }
  }
  documentation {
    content = each.value.text
  }
}
