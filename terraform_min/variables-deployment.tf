# The rest.

variable "alert_emails" {
  description = "Who is told by the alerts and the budget."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for email in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "alert_emails: ${join(", ", var.alert_emails)}: each has to be an email address."
  }
}

variable "allowed_regions" {
  description = "Residency: the only regions that anything may lie in; empty for any."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "approved_images" {
  description = "Digests of the trainer images that may open data keys. None: no key opens."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for digest in var.approved_images : can(regex("^sha256:[0-9a-f]{64}$", digest))])
    error_message = "approved_images: each has to be sha256: and 64 hex digits; a tag can be moved to another image, a digest cannot."
  }
}

variable "archive" {
  description = "The functions' archive; `make package` writes it."
  type        = string
  default     = "../build/functions.zip"
  nullable    = false
  validation {
    condition     = fileexists(var.archive)
    error_message = "archive = \"${var.archive}\" does not exist. Run `make package` first."
  }
}

variable "attestation_root" {
  description = "PEM file of the root certificate of attestation tokens. Empty: no token is trusted, so no run gets past verify_evidence."
  type        = string
  default     = ""
  nullable    = false
}

variable "auditors" {
  description = "IAM members who may act as the auditor: read evidence, reports and tables."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for member in var.auditors : can(regex("^(user|group|serviceAccount):[^\\s]+@[^\\s]+$", member))])
    error_message = "auditors: write user:NAME@DOMAIN, group:… or serviceAccount:…; never everybody (allUsers)."
  }
}

variable "billing_account" {
  description = "Billing account (XXXXXX-XXXXXX-XXXXXX) for the budget; null for no budget. Who applies needs roles/billing.costsManager on it."
  type        = string
  default     = null
  validation {
    condition     = var.billing_account == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "billing_account: write XXXXXX-XXXXXX-XXXXXX, as `gcloud billing accounts list` shows it."
  }
}

variable "budget_usd" {
  description = "Monthly budget in USD; told at 50, 80 and 100 percent. Past it no new run is admitted; a running one ends at its own end time."
  type        = number
  default     = 500
  nullable    = false
  validation {
    condition     = var.budget_usd >= 1 && floor(var.budget_usd) == var.budget_usd
    error_message = "budget_usd = ${var.budget_usd}: write whole dollars, 1 or more."
  }
}

variable "deployers" {
  description = "IAM members who may act as the deployer, the account that applies this Terraform. None: it gets no rights."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for member in var.deployers : can(regex("^(user|group|serviceAccount):[^\\s]+@[^\\s]+$", member))])
    error_message = "deployers: write user:NAME@DOMAIN, group:… or serviceAccount:…; never everybody (allUsers)."
  }
}

variable "deployment" {
  description = "Prefix of every name, so that two deployments can share a project."
  type        = string
  default     = "sealtrain"
  nullable    = false
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,7}[a-z0-9]$", var.deployment))
    error_message = "deployment = \"${var.deployment}\": 2 to 9 of a-z, 0-9 and -, from a letter on; longer would not fit Google's 30 characters for an account."
  }
}

variable "evidence_retention_days" {
  description = "How long evidence cannot be deleted by anybody."
  type        = number
  default     = 365
  nullable    = false
  validation {
    condition     = var.evidence_retention_days >= 1 && var.evidence_retention_days <= 36500
    error_message = "evidence_retention_days = ${var.evidence_retention_days}: 1 to 36500 days."
  }
}

variable "owners" {
  description = "IAM members that own data: they open the models."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for member in var.owners : can(regex("^(user|group|serviceAccount):[^\\s]+@[^\\s]+$", member))])
    error_message = "owners: write user:NAME@DOMAIN, group:… or serviceAccount:…; never everybody (allUsers)."
  }
}

variable "regions" {
  description = "Several regions: region to its deployment's name and addresses. Empty: `region` alone, named `deployment`."
  type = map(object({
    deployment       = string
    subnetwork_range = optional(string, "10.130.0.0/24")
  }))
  default  = {}
  nullable = false
  validation {
    condition     = length(distinct([for r in values(var.regions) : r.deployment])) == length(var.regions)
    error_message = "regions: each needs a deployment name of its own; accounts, roles and buckets are named by it."
  }
  validation {
    condition     = alltrue([for r in values(var.regions) : can(regex("^[a-z][a-z0-9-]{0,7}[a-z0-9]$", r.deployment))])
    error_message = "regions: a deployment is 2 to 9 of a-z, 0-9 and -, from a letter on."
  }
}

variable "report_schedule" {
  description = "When the period's report is asked for, as cron in UTC; null for never."
  type        = string
  default     = "0 6 * * *"
}

variable "sweep_schedule" {
  description = "When what outlived its run is looked for, as cron in UTC."
  type        = string
  default     = "*/15 * * * *"
  nullable    = false
}

variable "trainer" {
  description = "Image reference by digest for jobs that name none; empty: each has to name one."
  type        = string
  default     = ""
  nullable    = false
}

variable "wait_for_iam" {
  description = "Seconds that new grants on keys get to spread before anything rests under the keys."
  type        = number
  default     = 90
  nullable    = false
  validation {
    condition     = var.wait_for_iam >= 0 && var.wait_for_iam <= 600
    error_message = "wait_for_iam = ${var.wait_for_iam}: 0 to 600 seconds."
  }
}

variable "workflows" {
  description = "Folder of the workflow files."
  type        = string
  default     = "../workflows"
  nullable    = false
}
