# Where data rests. Every bucket: uniform access, no public access, our key and nothing without it, access logs
# apart. The inbox keeps no versions and no soft-deleted copies, so that `forget` forgets, and a checkpoint that
# was removed is gone; state and source keep none either, since nothing in them is worth restoring. A checkpoint
# that no attempt goes on from is deleted after `keep_days` (0: never).

locals {
  buckets = {
    checkpoints = { soft_delete_days = 0, abort_uploads = true, keep_days = 14 }
    inbox       = { soft_delete_days = 0, abort_uploads = true, keep_days = 0 }
    models      = { soft_delete_days = 7, abort_uploads = true, keep_days = 0 }
    source      = { soft_delete_days = 0, abort_uploads = false, keep_days = 0 }
    state       = { soft_delete_days = 0, abort_uploads = false, keep_days = 0 }
  }
  bucket_names = merge(
    { for word, bucket in google_storage_bucket.bucket : word => bucket.name },
    { evidence = module.evidence.bucket },
  )
}

resource "google_storage_bucket" "bucket" {
  #checkov:skip=CKV_GCP_78:what an owner deletes is gone, and state is written once: versions would keep both
  for_each                    = local.buckets
  project                     = var.project_id
  name                        = "${local.prefix}-${each.key}"
  location                    = upper(var.region)
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  encryption {
    default_kms_key_name = google_kms_crypto_key.ours["storage"].id
    google_managed_encryption_enforcement_config {
      restriction_mode = "FullyRestricted"
    }
  }
  logging {
    log_bucket        = module.evidence.access_logs_bucket
    log_object_prefix = each.key
  }
  soft_delete_policy {
    retention_duration_seconds = each.value.soft_delete_days * 86400
  }
  versioning {
    enabled = false
  }
  dynamic "lifecycle_rule" {
    for_each = each.value.abort_uploads ? [7] : []
    content {
      action {
        type = "AbortIncompleteMultipartUpload"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }
  dynamic "lifecycle_rule" {
    for_each = each.value.keep_days > 0 ? [each.value.keep_days] : []
    content {
      action {
        type = "Delete"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }
  depends_on = [terraform_data.keys_usable]
}
