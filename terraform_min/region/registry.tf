# Trainers' images. Tags move; jobs and policy name digests.

resource "google_artifact_registry_repository" "trainers" {
  project       = var.project_id
  location      = var.region
  repository_id = "trainers"
  format        = "DOCKER"
  kms_key_name  = google_kms_crypto_key.storage.id
  labels        = local.labels
  depends_on    = [terraform_data.keys_usable]
}
