output "budget_topic" {
  description = "Where the budget tells its state."
  value       = google_pubsub_topic.topic["budget-alerts"].id
  depends_on  = [google_pubsub_topic_iam_member.grant]
}

output "grants" {
  description = "Every grant on our resources: on what, which role, to whom, and why."
  value       = local.placed
}

output "inbox" {
  description = "Where an upload starts a run."
  value       = "gs://${google_storage_bucket.bucket["inbox"].name}/incoming/"
}

output "function_urls" {
  description = "Addresses of the functions."
  value       = local.url
}

output "pool_provider" {
  description = "Audience of the workload's token exchange."
  value       = google_iam_workload_identity_pool_provider.attested.name
}
