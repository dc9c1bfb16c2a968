# What a deployment is asked first. What cannot be meant is refused with the reason and the right value.

variable "accelerator_count" {
  description = "GPUs of the machine."
  type        = number
  default     = 1
  nullable    = false
}

variable "accelerator_type" {
  description = "GPU of the machine; it comes with the machine type."
  type        = string
  default     = "nvidia-h100-80gb"
  nullable    = false
}

variable "boot_disk_size" {
  description = "Boot disk of the machine in GiB."
  type        = number
  default     = 30
  nullable    = false
}

variable "bucket_name_suffix" {
  description = "Names of buckets are derived, so it stays empty."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = var.bucket_name_suffix == ""
    error_message = "bucket_name_suffix = \"${var.bucket_name_suffix}\": bucket names are derived from deployment and project, so that teardown finds them without being told. Leave it empty and set `deployment` to tell two deployments apart."
  }
}

variable "enable_monitoring" {
  description = "Alerts by email to alert_emails."
  type        = bool
  default     = true
  nullable    = false
}

variable "key_rotation_period" {
  description = "Rotation of the storage keys."
  type        = string
  default     = "2592000s"
  nullable    = false
  validation {
    condition     = can(regex("^[0-9]+s$", var.key_rotation_period)) && try(tonumber(trimsuffix(var.key_rotation_period, "s")), 0) >= 86400 && try(tonumber(trimsuffix(var.key_rotation_period, "s")), 0) <= 7776000
    error_message = "key_rotation_period = \"${var.key_rotation_period}\": Cloud KMS takes seconds with an s, from 86400s (a day); ours ends at 7776000s (90 days). For 30 days write \"2592000s\"."
  }
}

variable "keyring_name_suffix" {
  description = "Names of key rings are derived, so it stays empty."
  type        = string
  default     = ""
  nullable    = false
  validation {
    condition     = var.keyring_name_suffix == ""
    error_message = "keyring_name_suffix = \"${var.keyring_name_suffix}\": key rings are named by the deployment, so that functions find them. Leave it empty and set `deployment` to tell two deployments apart."
  }
}

variable "machine_type" {
  description = "The confidential machine that jobs are meant to ask for; a job may ask for any of the table."
  type        = string
  default     = "a3-highgpu-1g"
  nullable    = false
}

variable "project_id" {
  description = "The existing project, linked to billing."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id = \"${var.project_id}\" is no project id: 6 to 30 of a-z, 0-9 and -, from a letter on. It is the id (my-project), not the number or the name."
  }
}

variable "region" {
  description = "Where everything lies: data, keys, functions, machines."
  type        = string
  default     = "us-central1"
  nullable    = false
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region = \"${var.region}\" is no region. Write one like \"us-central1\"; a zone like \"us-central1-a\" goes into `zone`."
  }
}

variable "service_account_name" {
  description = "It can only name the machine's account; each function has its own."
  type        = string
  default     = "workload"
  nullable    = false
  validation {
    condition     = var.service_account_name == "workload"
    error_message = "service_account_name = \"${var.service_account_name}\": the attestation policy names the machine's account, <deployment>-workload, and every function has one of its own. Leave it at \"workload\"; `deployment` is its prefix."
  }
}

variable "zone" {
  description = "A zone of the region that has the machine; runs try the others of the region, too."
  type        = string
  default     = "us-central1-a"
  nullable    = false
}
