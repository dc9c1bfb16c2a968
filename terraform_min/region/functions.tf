# Every function of the step table, all from one archive: entry point, memory, timeout and callers are the
# table's; the account is the function's own.

resource "google_storage_bucket_object" "archive" {
  bucket       = google_storage_bucket.bucket["source"].name
  name         = "functions-${substr(filesha256(var.archive), 0, 20)}.zip" # another source is another object
  source       = var.archive
  content_type = "application/zip"
}

resource "google_cloudfunctions2_function" "function" {
  #checkov:skip=CKV_GCP_124:Workflows calls steps from outside the network; the platform checks each caller's right
  for_each = local.functions
  project  = var.project_id
  location = var.region
  name     = local.hyphened[each.key]
  labels   = local.labels

  build_config {
    runtime     = "python311"
    entry_point = each.key

    # The default would be the Compute Engine account, which may do far more.
    service_account   = google_service_account.account["build"].id
    docker_repository = google_artifact_registry_repository.images["functions"].id
    source {
      storage_source {
        bucket = google_storage_bucket.bucket["source"].name
        object = google_storage_bucket_object.archive.name
      }
    }
  }

  service_config {
    available_memory      = "${each.value.memory_mib}Mi"
    timeout_seconds       = each.value.timeout_s
    max_instance_count    = 20 # a storm of events queues up; it does not multiply
    service_account_email = google_service_account.account[each.key].email
    ingress_settings      = contains(each.value.invokers, "workflow") ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"
    environment_variables = {
      SEALTRAIN_PROJECT          = var.project_id
      SEALTRAIN_PROJECT_NUMBER   = var.project_number
      SEALTRAIN_REGION           = var.region
      SEALTRAIN_DEPLOYMENT       = var.deployment
      SEALTRAIN_TRAINER          = var.trainer
      SEALTRAIN_APPROVED_IMAGES  = join(",", var.approved_images)
      SEALTRAIN_ATTESTATION_ROOT = var.attestation_root
    }
  }

  dynamic "event_trigger" {
    for_each = contains(keys(local.on_upload), each.key) ? [trimprefix(each.value.trigger, "bucket:")] : []
    content {
      event_type            = "google.cloud.storage.object.v1.finalized"
      trigger_region        = var.region
      service_account_email = google_service_account.account["push"].email
      retry_policy          = "RETRY_POLICY_RETRY"
      event_filters {
        attribute = "bucket"
        value     = google_storage_bucket.bucket[event_trigger.value].name
      }
    }
  }

  # A build is refused until its account may read and write; an event trigger until Storage may publish and the
  # trigger's account may receive.
  depends_on = [google_artifact_registry_repository_iam_member.grant, google_project_iam_member.grant]
}
