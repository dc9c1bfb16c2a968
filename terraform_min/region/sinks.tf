# What tells of boot integrity and key uses, to the topic that record_attestation reads. What the attestation
# service logs names no machine, so it stays in the project's log. The identity that Logging gives the sink may
# publish there (grants.tf).

locals {
  told = [
    "logName=\"projects/${var.project_id}/logs/compute.googleapis.com%2Fshielded_vm_integrity\"",
    "(protoPayload.serviceName=\"cloudkms.googleapis.com\" AND protoPayload.resourceName:\"${var.region}/keyRings/${var.deployment}-release/\")",
  ]
}

resource "google_logging_project_sink" "attestation" {
  project                = var.project_id
  name                   = "${var.deployment}-attestation-logs"
  destination            = "pubsub.googleapis.com/${google_pubsub_topic.topic["attestation-logs"].id}"
  filter                 = join(" OR ", local.told)
  unique_writer_identity = true
}
