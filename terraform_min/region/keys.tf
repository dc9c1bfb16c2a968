# Rings and keys. Each run makes its own wrapping key on the release ring; only checkpoints have one that stays.
# The owner's keys do not rotate by themselves: an owner decides when.

locals {
  key_ids = merge(
    { for word, key in google_kms_crypto_key.ours : word => key.id },
    { for word, key in google_kms_crypto_key.owner : word => key.id },
    { bundle = module.evidence.bundle_key, evidence = module.evidence.storage_key },
  )
}

resource "google_kms_key_ring" "ring" {
  for_each = toset(["owner", "release", "storage"])
  project  = var.project_id
  location = var.region
  name     = "${var.deployment}-${each.key}"
}

# - storage: what everything of ours rests under at Google.
# - sealing: the data key of a large dataset, while it is being sealed, over several calls.
# - checkpoints: what a preempted run left; it is on the release ring, so only attested machines open it.
resource "google_kms_crypto_key" "ours" {
  #checkov:skip=CKV_GCP_82:goes with the deployment; destroy.sh refuses while anything of an owner rests under it
  for_each        = { checkpoints = "release", sealing = "storage", storage = "storage" }
  key_ring        = google_kms_key_ring.ring[each.value].id
  name            = each.key
  purpose         = "ENCRYPT_DECRYPT"
  rotation_period = var.key_rotation_period
  labels          = local.labels
  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = "HSM"
  }
}

# The owner's: models are sealed to one, datasets by the owner before upload to the other.
resource "google_kms_crypto_key" "owner" {
  #checkov:skip=CKV_GCP_82:goes with the deployment; destroy.sh refuses while a model stands; datasets sealed elsewhere are lost with it (README)
  #checkov:skip=CKV_GCP_43:the owner's own key: models sealed to it years ago have to open, and the owner rotates it
  for_each = toset(["datasets", "models"])
  key_ring = google_kms_key_ring.ring["owner"].id
  name     = each.key
  purpose  = "ENCRYPT_DECRYPT"
  labels   = local.labels
  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = "HSM"
  }
}

# Service agents use the storage key before anything can rest under it.
resource "google_kms_crypto_key_iam_member" "agent" {
  for_each      = local.agents
  crypto_key_id = google_kms_crypto_key.ours["storage"].id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}

# Grants on keys take a while to spread; whatever rests under the keys waits for this.
resource "terraform_data" "keys_usable" {
  input = [for grant in google_kms_crypto_key_iam_member.agent : grant.id]
  provisioner "local-exec" {
    command = "sleep ${var.wait_for_iam}"
  }
}
