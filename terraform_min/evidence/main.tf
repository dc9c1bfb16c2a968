# What proves a run stays when the deployment goes: evidence, the keys it rests under and is signed with, and
# the access logs of every bucket. scripts/destroy.sh takes this module out of the state first; a plain
# `terraform destroy` stops here.

locals {
  prefix = "${var.deployment}-${var.project_id}"
}

resource "google_kms_key_ring" "evidence" {
  project  = var.project_id
  location = var.region
  name     = "${var.deployment}-evidence"
  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key" "storage" {
  key_ring        = google_kms_key_ring.evidence.id
  name            = "storage"
  purpose         = "ENCRYPT_DECRYPT"
  rotation_period = var.key_rotation_period
  labels          = var.labels
  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = "HSM"
  }
  lifecycle {
    prevent_destroy = true
  }
}

# Signs the bundles. An asymmetric key does not rotate by itself; the delay of a destruction is set at birth.
resource "google_kms_crypto_key" "bundle" {
  #checkov:skip=CKV_GCP_43:Google rotates no asymmetric key by itself, and a bundle names the version that signed it
  key_ring                   = google_kms_key_ring.evidence.id
  name                       = "bundle"
  purpose                    = "ASYMMETRIC_SIGN"
  destroy_scheduled_duration = "2592000s"
  labels                     = var.labels
  version_template {
    algorithm        = "EC_SIGN_P256_SHA256"
    protection_level = "HSM"
  }
  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_member" "storage_agent" {
  crypto_key_id = google_kms_crypto_key.storage.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = var.storage_agent
}

resource "terraform_data" "key_usable" {
  input = google_kms_crypto_key_iam_member.storage_agent.id
  provisioner "local-exec" {
    command = "sleep ${var.wait_for_iam}"
  }
}

resource "google_storage_bucket" "evidence" {
  #checkov:skip=CKV_GCP_78:objects are write-once under a retention policy, which excludes versioning
  project                     = var.project_id
  name                        = "${local.prefix}-evidence"
  location                    = upper(var.region)
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  encryption {
    default_kms_key_name = google_kms_crypto_key.storage.id
    google_managed_encryption_enforcement_config {
      restriction_mode = "FullyRestricted"
    }
  }
  logging {
    log_bucket        = google_storage_bucket.access_logs.name
    log_object_prefix = "evidence"
  }
  retention_policy {
    retention_period = tostring(var.retention_days * 86400)
  }
  lifecycle {
    prevent_destroy = true
  }
  depends_on = [terraform_data.key_usable]
}

resource "google_storage_bucket" "access_logs" {
  #checkov:skip=CKV_GCP_62:this is where access logs go; a log of the log would feed itself
  #checkov:skip=CKV_GCP_78:objects are write-once under a retention policy, which excludes versioning
  project                     = var.project_id
  name                        = "${local.prefix}-access-logs"
  location                    = upper(var.region)
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  encryption {
    default_kms_key_name = google_kms_crypto_key.storage.id
    google_managed_encryption_enforcement_config {
      restriction_mode = "FullyRestricted"
    }
  }
  retention_policy {
    retention_period = tostring(var.retention_days * 86400)
  }
  lifecycle {
    prevent_destroy = true
  }
  depends_on = [terraform_data.key_usable]
}

# Cloud Storage delivers access logs as this group of its own.
resource "google_storage_bucket_iam_member" "access_logs" {
  bucket = google_storage_bucket.access_logs.name
  role   = "roles/storage.objectCreator"
  member = "group:cloud-storage-analytics@google.com"
}
