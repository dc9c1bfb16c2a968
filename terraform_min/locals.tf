locals {
  blueprint = jsondecode(file("${path.module}/blueprint.json"))

  # The machine asked for; for an unknown one only its own message is to be read.
  shape = lookup(local.blueprint.shapes, var.machine_type, local.blueprint.shapes["a3-highgpu-1g"])

  # Where each machine shape of the code can be had.
  zones = { for name, shape in local.blueprint.shapes : name => split(" ", shape.zones) }

  # One region under the deployment's own name, unless a map says otherwise.
  regions = length(var.regions) > 0 ? var.regions : { (var.region) = { deployment = var.deployment, subnetwork_range = "10.130.0.0/24" } }
}
