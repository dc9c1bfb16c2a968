# The pool that attested workloads are members of. Its condition is generated from the policy (policy.toml),
# the same that verify_evidence judges by.

locals {
  pool = "projects/${var.project_number}/locations/global/workloadIdentityPools/${google_iam_workload_identity_pool.attested.workload_identity_pool_id}"
  condition = replace(replace(replace(replace(replace(var.blueprint.pool.attribute_condition,
    "[\"{images}\"]", jsonencode(var.approved_images)),
    "{deployment}", var.deployment),
    "{project}", var.project_id),
    "{number}", var.project_number),
  "{region}", var.region)
}

resource "google_iam_workload_identity_pool" "attested" {
  project                   = var.project_id
  workload_identity_pool_id = "${var.deployment}-attested"
  display_name              = "${var.deployment} attested"
}

resource "google_iam_workload_identity_pool_provider" "attested" {
  project                            = var.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.attested.workload_identity_pool_id
  workload_identity_pool_provider_id = "attestation-verifier"
  attribute_condition                = local.condition
  attribute_mapping                  = var.blueprint.pool.attribute_mapping
  oidc {
    issuer_uri        = var.blueprint.pool.issuer
    allowed_audiences = ["//iam.googleapis.com/${local.pool}/providers/attestation-verifier"]
  }
}
