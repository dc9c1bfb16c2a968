variable "deployment" {
  description = "Prefix of every name."
  type        = string
  nullable    = false
}

variable "key_rotation_period" {
  description = "Rotation of the storage key, in seconds with an s."
  type        = string
  nullable    = false
}

variable "labels" {
  description = "Labels of everything that takes them."
  type        = map(string)
  nullable    = false
}

variable "project_id" {
  description = "The existing project."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Where evidence lies."
  type        = string
  nullable    = false
}

variable "retention_days" {
  description = "How long evidence cannot be deleted."
  type        = number
  nullable    = false
}

variable "storage_agent" {
  description = "IAM member of Cloud Storage's service agent."
  type        = string
  nullable    = false
}

variable "wait_for_iam" {
  description = "Seconds for new grants to spread before they are used."
  type        = number
  nullable    = false
}
