# What one variable means depends on others: which machine is in which zone, which region data may lie in. Terraform
# before 1.9, which Infrastructure Manager runs (1.5.7), lets a variable's own validation look at itself alone; so
# these stand here. A plan with one of them broken ends with its message.

resource "terraform_data" "variables_fit" {
  lifecycle {
    precondition {
      condition     = var.accelerator_count == (local.shape.gpu == "" ? 0 : 1)
      error_message = "accelerator_count = ${var.accelerator_count} does not fit ${var.machine_type}: confidential GPU machines have exactly one GPU, CPU machines none. Set 1 for a3-highgpu-1g, 0 for n2d-standard-*."
    }
    precondition {
      condition     = var.accelerator_type == (local.shape.gpu == "" ? "" : "nvidia-h100-80gb")
      error_message = "accelerator_type = \"${var.accelerator_type}\" does not fit ${var.machine_type}: the H100 is the only GPU that Confidential Space attests (an A100 or L4 has no confidential mode). Set \"nvidia-h100-80gb\" for a3-highgpu-1g, \"\" for n2d-standard-*."
    }
    precondition {
      condition     = var.boot_disk_size >= local.shape.boot_disk_gib && var.boot_disk_size <= 65536
      error_message = "boot_disk_size = ${var.boot_disk_size}: ${var.machine_type} needs at least ${local.shape.boot_disk_gib} GiB."
    }
    precondition {
      condition     = contains(keys(local.blueprint.shapes), var.machine_type)
      error_message = "machine_type = \"${var.machine_type}\" is no machine that Confidential Space attests (A2, G2 and the larger A3 have no confidential mode; SEV_SNP is not in Confidential Space). Use \"a3-highgpu-1g\" for one H100 with TDX, or \"n2d-standard-2\" to \"n2d-standard-96\" with SEV."
    }
    precondition {
      condition     = length(var.allowed_regions) == 0 || contains(var.allowed_regions, var.region)
      error_message = "region = \"${var.region}\" is outside allowed_regions (${join(", ", var.allowed_regions)}): data would leave where it has to stay."
    }
    precondition {
      condition     = !contains(keys(local.zones), var.machine_type) || contains(try(local.zones[var.machine_type], []), var.zone)
      error_message = "zone = \"${var.zone}\" has no confidential ${var.machine_type}. It is in: ${join(", ", try(local.zones[var.machine_type], []))}."
    }
    precondition {
      condition     = startswith(var.zone, "${var.region}-")
      error_message = "zone = \"${var.zone}\" is not in region \"${var.region}\": keys and data cannot serve a machine elsewhere. Set both."
    }
    precondition {
      condition     = var.billing_account == null || length(var.alert_emails) > 0
      error_message = "billing_account without anybody to tell: a budget without a channel is seen by nobody. Set alert_emails, or leave billing_account out."
    }
    precondition {
      condition     = length(var.regions) == 0 || contains(keys(var.regions), var.region)
      error_message = "regions has to hold `region` (${var.region}), too: with a map, only what is in it is made."
    }
    precondition {
      condition     = length(var.allowed_regions) == 0 || alltrue([for region in keys(var.regions) : contains(var.allowed_regions, region)])
      error_message = "regions: ${join(", ", setsubtract(keys(var.regions), var.allowed_regions))} outside allowed_regions (${join(", ", var.allowed_regions)}): data would leave where it has to stay."
    }
    precondition {
      condition     = var.trainer == "" || contains(var.approved_images, try(split("@", var.trainer)[1], ""))
      error_message = "trainer = \"${var.trainer}\": write REGION-docker.pkg.dev/PROJECT/trainers/NAME@sha256:…, and put its digest into approved_images."
    }
  }
}
