output "access_logs_bucket" {
  description = "Bucket of the access logs of all buckets."
  value       = google_storage_bucket.access_logs.name
}

output "bucket" {
  description = "Bucket of the evidence."
  value       = google_storage_bucket.evidence.name
}

output "bundle_key" {
  description = "Key that signs bundles."
  value       = google_kms_crypto_key.bundle.id
}

output "storage_key" {
  description = "Key that evidence rests under."
  value       = google_kms_crypto_key.storage.id
}
