# `terraform test`, also for those who have the real provider: nothing here is applied for real, since the
# provider is mocked.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "111111111111" }
  }
}

variables {
  project_id   = "placeholder-project"
  alert_emails = ["ops@placeholder.example"]
  wait_for_iam = 0
}

run "over_the_defaults" {
  command = plan
  assert {
    condition     = keys(output.inboxes) == ["us-central1"] && output.inboxes["us-central1"] == "gs://sealtrain-placeholder-project-inbox/incoming/"
    error_message = "the inbox is named by deployment and project"
  }
  assert {
    condition     = output.machine.machine_type == "a3-highgpu-1g" && startswith(output.machine.zone, "us-central1-")
    error_message = "the default machine is the confidential one with a GPU, in the default region"
  }
}

run "two_regions" {
  command = plan
  variables {
    regions = {
      us-central1  = { deployment = "sealtrain" }
      europe-west4 = { deployment = "seal-eu", subnetwork_range = "10.131.0.0/24" }
    }
  }
  assert {
    condition     = length(output.inboxes) == 2
    error_message = "each region has an inbox of its own"
  }
}

run "every_optional_part_off" {
  command = plan
  variables {
    alert_emails      = []
    enable_monitoring = false
    report_schedule   = null
  }
}

run "a_machine_that_cannot_be_confidential_is_refused" {
  command = plan
  variables {
    machine_type = "a2-highgpu-1g"
  }
  expect_failures = [terraform_data.variables_fit]
}

run "a_rotation_in_days_is_refused" {
  command = plan
  variables {
    key_rotation_period = "30d"
  }
  expect_failures = [var.key_rotation_period]
}

run "a_region_outside_residency_is_refused" {
  command = plan
  variables {
    allowed_regions = ["europe-west4"]
  }
  expect_failures = [terraform_data.variables_fit]
}

run "a_zone_of_another_region_is_refused" {
  command = plan
  variables {
    zone = "us-east5-a"
  }
  expect_failures = [terraform_data.variables_fit]
}

run "a_budget_for_nobody_is_refused" {
  command = plan
  variables {
    alert_emails      = []
    billing_account   = "000000-111111-ABCDEF"
    enable_monitoring = false
  }
  expect_failures = [terraform_data.variables_fit]
}
