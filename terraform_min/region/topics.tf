# One topic per listener, and the dead letters. Messages stay in the region.

resource "google_pubsub_topic" "topic" {
  for_each     = toset(concat(keys(local.listeners), ["dead-letters"]))
  project      = var.project_id
  name         = "${var.deployment}-${each.key}"
  kms_key_name = google_kms_crypto_key.ours["storage"].id
  labels       = local.labels
  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
  depends_on = [terraform_data.keys_usable]
}
