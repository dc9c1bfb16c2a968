# Told by email at half, four fifths and all of the budget; and several times a day to guard_budget, which admits
# no new run past it. It ends no run that goes on: the brake is the end time that the server enforces on every
# machine. Each region judges for itself, so each has a budget of the same amount over the whole project.

resource "google_billing_budget" "month" {
  for_each        = var.billing_account == null ? {} : local.regions
  billing_account = var.billing_account
  display_name    = "${each.value.deployment} ${var.project_id}" # guard_budget knows it by this name
  budget_filter {
    projects        = ["projects/${data.google_project.this.number}"]
    calendar_period = "MONTH"
  }
  amount {
    specified_amount {
      currency_code = "USD"
      units         = tostring(var.budget_usd)
    }
  }
  dynamic "threshold_rules" {
    for_each = [0.5, 0.8, 1.0]
    content {
      threshold_percent = threshold_rules.value
    }
  }
  all_updates_rule {
    pubsub_topic                     = module.region[each.key].budget_topic
    schema_version                   = "1.0"
    monitoring_notification_channels = local.channels
    disable_default_iam_recipients   = false
  }
}
