# Evidence outlives the deployment: a module of its own, which `terraform destroy` refuses to touch.

module "evidence" {
  source              = "../evidence"
  deployment          = var.deployment
  key_rotation_period = var.key_rotation_period
  labels              = local.labels
  project_id          = var.project_id
  region              = var.region
  retention_days      = var.evidence_retention_days
  storage_agent       = local.agents.storage
  wait_for_iam        = var.wait_for_iam
}
