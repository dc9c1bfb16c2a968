# The account that applies this Terraform, for Infrastructure Manager and for pipelines. It can do what the
# files here need, which is much: so it has rights only when somebody is named who may act as it.

locals {
  deployer_roles = jsondecode(file("${path.module}/deployer_roles.json")) # role to reason; scripts/deploy.sh reads it, too
}

resource "google_service_account" "deployer" {
  project      = var.project_id
  account_id   = "${var.deployment}-deployer"
  display_name = "${var.deployment} deployer"
  description  = "applies this Terraform, for those named in deployers"

  create_ignore_already_exists = true # Infrastructure Manager needs it before this is applied
  depends_on                   = [google_project_service.api]
}

resource "google_project_iam_member" "deployer" {
  #checkov:skip=CKV_GCP_41:deploying functions under their accounts needs the right to act as each, made by the same apply
  #checkov:skip=CKV_GCP_49:the deployer makes accounts; it has its rights only while somebody is named in deployers
  for_each = length(var.deployers) > 0 ? local.deployer_roles : {}
  project  = var.project_id
  role     = each.key
  member   = "serviceAccount:${google_service_account.deployer.email}"
}

resource "google_service_account_iam_member" "deployers" {
  for_each           = toset(var.deployers)
  service_account_id = google_service_account.deployer.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.key
}
