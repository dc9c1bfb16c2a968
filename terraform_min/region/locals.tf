# Names are derived, never random: the functions compute the same ones from deployment, project and region.

locals {
  prefix = "${var.deployment}-${var.project_id}"
  labels = { sealtrain-deployment = var.deployment }

  functions = var.blueprint.functions
  listeners = { for name, f in local.functions : trimprefix(f.trigger, "topic:") => merge(f, { name = name })
  if startswith(f.trigger, "topic:") }
  on_upload = { for name, f in local.functions : name => f if startswith(f.trigger, "bucket:") }

  # A function's word carries underscores in Python and hyphens in the cloud.
  hyphened = { for name, f in local.functions : name => replace(name, "_", "-") }
  url      = { for name, word in local.hyphened : name => "https://${var.region}-${var.project_id}.cloudfunctions.net/${word}" }
}
