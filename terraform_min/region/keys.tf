# Rings and keys. Each run makes its own wrapping key on the release ring; only checkpoints have one that stays.
# The owner's keys do not rotate by themselves: an owner decides when.

locals {
  key_ids = {
    bundle      = module.evidence.bundle_key
    checkpoints = google_kms_crypto_key.checkpoints.id
    datasets    = google_kms_crypto_key.owner["datasets"].id
    evidence    = module.evidence.storage_key
    models      = google_kms_crypto_key.owner["models"].id
    sealing     = google_kms_crypto_key.sealing.id
    storage     = google_kms_crypto_key.storage.id
  }
}

resource "google_kms_key_ring" "ring" {
  for_each = toset(["owner", "release", "storage"])
  project  = var.project_id
  location = var.region
  name     = "${var.deployment}-${each.key}"
}

resource "google_kms_crypto_key" "storage" {
  #checkov:skip=CKV_GCP_82:goes with the deployment; destroy.sh refuses while anything of an owner rests under it
  key_ring        = google_kms_key_ring.ring["storage"].id
  name            = "storage"
  purpose         = "ENCRYPT_DECRYPT"
  rotation_period = var.key_rotation_period
  labels          = local.labels
  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = "HSM"
  }
}

# The data key of a large dataset rests under this one while the dataset is being sealed, over several calls.
resource "google_kms_crypto_key" "sealing" {
  #checkov:skip=CKV_GCP_82:goes with the deployment; nothing rests under it for longer than a sealing takes
  key_ring        = google_kms_key_ring.ring["storage"].id
  name            = "sealing"
  purpose         = "ENCRYPT_DECRYPT"
  rotation_period = var.key_rotation_period
  labels          = local.labels
  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = "HSM"
  }
}

# A preempted run leaves its checkpoint under this one; it is on the release ring, so only attested machines open it.
resource "google_kms_crypto_key" "checkpoints" {
  #checkov:skip=CKV_GCP_82:goes with the deployment; a checkpoint serves the next attempt and nobody else
  key_ring        = google_kms_key_ring.ring["release"].id
  name            = "checkpoints"
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
  crypto_key_id = google_kms_crypto_key.storage.id
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
