# The machines' network: no external address, no way in, and one way out, to Google's APIs.

locals {
  private_google = ["199.36.153.8", "199.36.153.9", "199.36.153.10", "199.36.153.11"] # private.googleapis.com
  private_range  = "199.36.153.8/30"
}

resource "google_compute_network" "machines" {
  project                         = var.project_id
  name                            = "${var.deployment}-machines"
  auto_create_subnetworks         = false
  delete_default_routes_on_create = true
}

resource "google_compute_subnetwork" "workload" {
  project                  = var.project_id
  region                   = var.region
  name                     = "${var.deployment}-workload"
  network                  = google_compute_network.machines.id
  ip_cidr_range            = var.subnetwork_range
  private_ip_google_access = true
  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_route" "google" {
  project          = var.project_id
  name             = "${var.deployment}-google"
  network          = google_compute_network.machines.name
  dest_range       = local.private_range
  next_hop_gateway = "default-internet-gateway" # stays on Google's network for this range
}

resource "google_compute_firewall" "to_google" {
  project            = var.project_id
  name               = "${var.deployment}-to-google"
  network            = google_compute_network.machines.name
  direction          = "EGRESS"
  priority           = 1000
  destination_ranges = [local.private_range]
  allow {
    protocol = "tcp"
    ports    = ["443"]
  }
}

resource "google_compute_firewall" "no_way_out" {
  project            = var.project_id
  name               = "${var.deployment}-no-way-out"
  network            = google_compute_network.machines.name
  direction          = "EGRESS"
  priority           = 65534
  destination_ranges = ["0.0.0.0/0"]
  deny {
    protocol = "all"
  }
  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_firewall" "no_way_in" {
  project       = var.project_id
  name          = "${var.deployment}-no-way-in"
  network       = google_compute_network.machines.name
  direction     = "INGRESS"
  priority      = 65534
  source_ranges = ["0.0.0.0/0"]
  deny {
    protocol = "all"
  }
  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

# Names of Google's APIs and registries lead to the private range.
resource "google_dns_managed_zone" "google" {
  #checkov:skip=CKV_GCP_16:a private zone is not signed
  for_each   = toset(["googleapis.com", "pkg.dev"])
  project    = var.project_id
  name       = "${var.deployment}-${replace(each.key, ".", "-")}"
  dns_name   = "${each.key}."
  visibility = "private"
  labels     = local.labels
  private_visibility_config {
    networks {
      network_url = google_compute_network.machines.id
    }
  }
}

resource "google_dns_record_set" "google" {
  for_each     = google_dns_managed_zone.google
  project      = var.project_id
  managed_zone = each.value.name
  name         = each.value.dns_name
  type         = "A"
  ttl          = 300
  rrdatas      = local.private_google
}

resource "google_dns_record_set" "any" {
  for_each     = google_dns_managed_zone.google
  project      = var.project_id
  managed_zone = each.value.name
  name         = "*.${each.value.dns_name}"
  type         = "CNAME"
  ttl          = 300
  rrdatas      = [each.value.dns_name]
}
