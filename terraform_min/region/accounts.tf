# One service account per function and one per role of the platform. None has a key.
# Scheduler publishes as Google's agent and the log sink as the identity that Logging gives it:
# an account of ours there would only be one more thing to hold rights.

locals {
  account_purposes = merge(
    { for name, f in local.functions : name => "runs the function ${name}" },
    {
      build    = "builds the functions from their source"
      auditor  = "reads evidence, reports and tables, for those who check"
      push     = "calls listeners for Pub/Sub and storage events"
      workflow = "runs the workflows"
      workload = "is the identity of the confidential VM"
    },
  )
}

resource "google_service_account" "account" {
  for_each     = local.account_purposes
  account_id   = "${var.deployment}-${replace(each.key, "_", "-")}"
  display_name = "${var.deployment} ${each.key}"
  description  = each.value
}
