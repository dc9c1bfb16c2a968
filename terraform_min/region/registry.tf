# Trainers' images, and what the functions are built into. Tags move; jobs and policy name digests.

resource "google_artifact_registry_repository" "images" {
  for_each      = toset(["functions", "trainers"])
  project       = var.project_id
  location      = var.region
  repository_id = each.key
  format        = "DOCKER"
  kms_key_name  = google_kms_crypto_key.ours["storage"].id
  labels        = local.labels
  depends_on    = [terraform_data.keys_usable]
}
