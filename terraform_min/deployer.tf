# The account that applies this Terraform, for Infrastructure Manager and for pipelines. It can do what the
# files here need, which is much: so it has rights only when somebody is named who may act as it.

locals {
  deployer_roles = {
    "roles/artifactregistry.admin"          = "makes the repository of trainers"
    "roles/bigquery.dataOwner"              = "makes the dataset and its tables"
    "roles/cloudfunctions.admin"            = "deploys the functions"
    "roles/cloudkms.admin"                  = "makes rings and keys, and grants on them; it cannot use them"
    "roles/cloudscheduler.admin"            = "makes the schedules"
    "roles/compute.networkAdmin"            = "makes the machines' network"
    "roles/compute.securityAdmin"           = "makes the firewall rules"
    "roles/config.agent"                    = "keeps Infrastructure Manager's state"
    "roles/dns.admin"                       = "makes the private zones"
    "roles/iam.roleAdmin"                   = "makes the custom roles"
    "roles/iam.serviceAccountAdmin"         = "makes the service accounts"
    "roles/iam.serviceAccountUser"          = "deploys functions under their accounts"
    "roles/iam.workloadIdentityPoolAdmin"   = "makes the pool of attested workloads"
    "roles/logging.configWriter"            = "makes the log sink"
    "roles/monitoring.admin"                = "makes alerts and channels"
    "roles/pubsub.admin"                    = "makes topics and subscriptions"
    "roles/resourcemanager.projectIamAdmin" = "makes the grants that exist per project only"
    "roles/run.admin"                       = "grants the right to call a function"
    "roles/serviceusage.serviceUsageAdmin"  = "turns the APIs on"
    "roles/storage.admin"                   = "makes the buckets"
    "roles/workflows.admin"                 = "deploys the workflows"
  }
}

resource "google_service_account" "deployer" {
  project      = var.project_id
  account_id   = "${var.deployment}-deployer"
  display_name = "${var.deployment} deployer"
  description  = "applies this Terraform, for those named in deployers"
  depends_on   = [google_project_service.api]
}

resource "google_project_iam_member" "deployer" {
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
