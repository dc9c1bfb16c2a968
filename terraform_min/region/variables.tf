# Everything a region needs to know; the root module checks the values and says why one is refused.

variable "approved_images" {
  description = "Digests of the trainer images that may open data keys."
  type        = list(string)
  nullable    = false
}

variable "archive" {
  description = "Path of the functions' archive, as `make package` writes it."
  type        = string
  nullable    = false
}

variable "attestation_root" {
  description = "PEM of the root certificate of attestation tokens."
  type        = string
  nullable    = false
}

variable "auditors" {
  description = "IAM members that read evidence, reports and tables, and nothing else."
  type        = list(string)
  nullable    = false
}

variable "blueprint" {
  description = "What comes from the code: functions, grants, roles, tables, the pool's condition."
  type        = any
  nullable    = false
}

variable "budgeted" {
  description = "Whether a budget tells this region's guard_budget."
  type        = bool
  nullable    = false
}

variable "channels" {
  description = "Notification channels of the alerts; with none there are no alerts."
  type        = list(string)
  nullable    = false
}

variable "deployment" {
  description = "Prefix of every name in this region, 2 to 9 characters."
  type        = string
  nullable    = false
}

variable "evidence_retention_days" {
  description = "How long evidence cannot be deleted."
  type        = number
  nullable    = false
}

variable "key_rotation_period" {
  description = "Rotation of the storage keys, in seconds with an s."
  type        = string
  nullable    = false
}

variable "owners" {
  description = "IAM members that own data: they open the models."
  type        = list(string)
  nullable    = false
}

variable "project_id" {
  description = "The existing project."
  type        = string
  nullable    = false
}

variable "project_number" {
  description = "Its number, which service agents and the pool are named by."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Where everything of this module lies."
  type        = string
  nullable    = false
}

variable "report_schedule" {
  description = "When reports are asked for, as cron in UTC; null for never."
  type        = string
}

variable "subnetwork_range" {
  description = "Addresses of the machines."
  type        = string
  nullable    = false
}

variable "sweep_schedule" {
  description = "When what outlived its run is looked for, as cron in UTC."
  type        = string
  nullable    = false
}

variable "trainer" {
  description = "Reference by digest of the trainer for jobs that name none; empty: each must name one."
  type        = string
  nullable    = false
}

variable "wait_for_iam" {
  description = "Seconds for new grants to spread before they are used."
  type        = number
  nullable    = false
}

variable "workflows" {
  description = "Folder of the workflow files."
  type        = string
  nullable    = false
}
