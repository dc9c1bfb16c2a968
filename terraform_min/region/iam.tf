# Puts every grant of grants.tf on its resource. `member`, never `binding`: what others granted stays.

locals {
  placed = { for name, g in local.grants : name => {
    kind      = split(":", g.on)[0]
    word      = try(split(":", g.on)[1], "")
    role      = startswith(g.role, "roles/") ? g.role : google_project_iam_custom_role.role[g.role].name
    member    = g.member
    reason    = g.reason
    condition = try(g.condition, "")
  } }
  titled = { for name, g in local.placed : name => g.condition == "" ? [] : [{ title = g.reason, expression = g.condition }] }
}

resource "google_project_iam_member" "grant" {
  for_each = { for name, g in local.placed : name => g if g.kind == "project" }
  project  = var.project_id
  role     = each.value.role
  member   = each.value.member
  dynamic "condition" {
    for_each = local.titled[each.key]
    content {
      title      = condition.value.title
      expression = condition.value.expression
    }
  }
}

resource "google_storage_bucket_iam_member" "grant" {
  for_each = { for name, g in local.placed : name => g if g.kind == "bucket" }
  bucket   = local.bucket_names[each.value.word]
  role     = each.value.role
  member   = each.value.member
  dynamic "condition" {
    for_each = local.titled[each.key]
    content {
      title      = condition.value.title
      expression = condition.value.expression
    }
  }
}

resource "google_kms_key_ring_iam_member" "grant" {
  for_each    = { for name, g in local.placed : name => g if g.kind == "ring" }
  key_ring_id = google_kms_key_ring.ring[each.value.word].id
  role        = each.value.role
  member      = each.value.member
  depends_on  = [google_iam_workload_identity_pool_provider.attested]
}

resource "google_kms_crypto_key_iam_member" "grant" {
  for_each      = { for name, g in local.placed : name => g if g.kind == "key" }
  crypto_key_id = local.key_ids[each.value.word]
  role          = each.value.role
  member        = each.value.member
}

resource "google_pubsub_topic_iam_member" "grant" {
  for_each = { for name, g in local.placed : name => g if g.kind == "topic" }
  project  = var.project_id
  topic    = google_pubsub_topic.topic[each.value.word].name
  role     = each.value.role
  member   = each.value.member
}

resource "google_pubsub_subscription_iam_member" "grant" {
  for_each     = { for name, g in local.placed : name => g if g.kind == "subscription" }
  project      = var.project_id
  subscription = google_pubsub_subscription.push[each.value.word].name
  role         = each.value.role
  member       = each.value.member
}

resource "google_service_account_iam_member" "grant" {
  for_each           = { for name, g in local.placed : name => g if g.kind == "account" }
  service_account_id = google_service_account.account[each.value.word].name
  role               = each.value.role
  member             = each.value.member
}

resource "google_bigquery_dataset_iam_member" "grant" {
  for_each   = { for name, g in local.placed : name => g if g.kind == "dataset" }
  project    = var.project_id
  dataset_id = google_bigquery_dataset.rows.dataset_id
  role       = each.value.role
  member     = each.value.member
}

resource "google_artifact_registry_repository_iam_member" "grant" {
  for_each   = { for name, g in local.placed : name => g if g.kind == "repository" }
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images[each.value.word].repository_id
  role       = each.value.role
  member     = each.value.member
}

resource "google_cloud_run_v2_service_iam_member" "grant" {
  for_each = { for name, g in local.placed : name => g if g.kind == "service" }
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.function[each.value.word].name
  role     = each.value.role
  member   = each.value.member
}
