output "functions" {
  description = "Addresses of the functions, by region."
  value       = { for region, made in module.region : region => made.function_urls }
}

output "grants" {
  description = "Every grant of ours, by region: on what, which role, to whom, and why."
  value       = { for region, made in module.region : region => made.grants }
}

output "inboxes" {
  description = "Where an upload starts a run, by region."
  value       = { for region, made in module.region : region => made.inbox }
}

output "machine" {
  description = "The machine that jobs are meant to ask for."
  value = {
    accelerator_count = var.accelerator_count
    accelerator_type  = var.accelerator_type
    boot_disk_gib     = var.boot_disk_size
    machine_type      = var.machine_type
    zone              = var.zone
  }
}
