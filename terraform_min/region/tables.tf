# Rows about runs and evidence, never the only copy. The shapes are the code's own (rules/tables.py).

resource "google_bigquery_dataset" "rows" {
  project    = var.project_id
  dataset_id = replace(var.deployment, "-", "_")
  location   = var.region
  labels     = local.labels
  default_encryption_configuration {
    kms_key_name = google_kms_crypto_key.ours["storage"].id
  }
  depends_on = [terraform_data.keys_usable]
}

resource "google_bigquery_table" "table" {
  #checkov:skip=CKV_GCP_121:rows can be written again from the evidence; the table goes with the deployment
  for_each            = var.blueprint.tables
  project             = var.project_id
  dataset_id          = google_bigquery_dataset.rows.dataset_id
  table_id            = each.key
  schema              = jsonencode(each.value)
  labels              = local.labels
  deletion_protection = false
  encryption_configuration {
    kms_key_name = google_kms_crypto_key.ours["storage"].id
  }
}
