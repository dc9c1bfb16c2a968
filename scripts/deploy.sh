#!/usr/bin/env bash
# Deploy into an existing project: the APIs and service agents that Terraform needs to find, a place for its
# state, then Terraform. Run it again after any failure: each call looks first, or may be repeated.
set -Eeuo pipefail
. "$(dirname "$0")/common.sh"
assume=missing

usage() {
  say "usage: deploy.sh PROJECT [--region us-central1] [--deployment sealtrain] [--inputs FILE.tfvars]"
  say "                 [--by terraform|infra-manager] [--dry-run]"
}

apis() {
  run gcloud services enable --project "$project" \
    artifactregistry.googleapis.com bigquery.googleapis.com cloudkms.googleapis.com cloudresourcemanager.googleapis.com \
    compute.googleapis.com config.googleapis.com iam.googleapis.com pubsub.googleapis.com \
    serviceusage.googleapis.com storage.googleapis.com workflows.googleapis.com
}

# Grants to an agent that does not exist yet are refused; Compute's comes with its API.
agents() {
  for service in artifactregistry pubsub workflows; do
    run gcloud beta services identity create --project "$project" --service "$service.googleapis.com"
  done
  run gcloud storage service-agent --project "$project"
  run bq --project_id "$project" show --encryption_service_account
}

by_terraform() {
  state=gs://$deployment-$project-terraform
  there gcloud storage buckets describe "$state" ||
    run gcloud storage buckets create "$state" --project "$project" --location "$region" \
      --uniform-bucket-level-access --public-access-prevention
  run gcloud storage buckets update "$state" --versioning
  cd "$stage/terraform_min"
  run terraform init -input=false -reconfigure
  adopt_evidence
  bound_s=3600 run terraform apply -input=false -auto-approve "${values[@]}"
}

# Evidence of an earlier deployment stayed when that was destroyed: take it over instead of making it anew.
adopt_evidence() {
  ring=projects/$project/locations/$region/keyRings/$deployment-evidence
  there gcloud storage buckets describe "gs://$deployment-$project-evidence" || return 0
  adopt google_kms_key_ring.evidence "$ring"
  adopt google_kms_crypto_key.storage "$ring/cryptoKeys/storage"
  adopt google_kms_crypto_key.bundle "$ring/cryptoKeys/bundle"
  adopt google_storage_bucket.access_logs "$project/$deployment-$project-access-logs"
  adopt google_storage_bucket.evidence "$project/$deployment-$project-evidence"
}

adopt() {
  there terraform state show "$evidence.$1" ||
    run terraform import -input=false "${values[@]}" "$evidence.$1" "$2"
}

# Infrastructure Manager keeps the state itself and acts as the deployer.
by_infra_manager() {
  deployer=$deployment-deployer@$project.iam.gserviceaccount.com
  there gcloud iam service-accounts describe "$deployer" --project "$project" ||
    run gcloud iam service-accounts create "$deployment-deployer" --project "$project"
  grep -o '"roles/[^"]*"' "$root/terraform_min/deployer_roles.json" | tr -d '"' | while read -r role; do
    run gcloud projects add-iam-policy-binding "$project" --member "serviceAccount:$deployer" \
      --role "$role" --condition None --quiet </dev/null
  done
  rm -f "$stage/terraform_min/backend.tf"
  # The folder is all that is uploaded, so what the files refer to goes into it.
  cp -R "$stage/workflows" "$stage/build" "$stage/terraform_min/"
  settings=$stage/terraform_min/terraform.tfvars
  : >"$settings"
  [ -z "$inputs" ] || cat "$inputs" >"$settings"
  printf '%s = "%s"\n' project_id "$project" region "$region" deployment "$deployment" \
    archive build/functions.zip workflows workflows >>"$settings"
  bound_s=3600 run gcloud infra-manager deployments apply \
    "projects/$project/locations/$region/deployments/$deployment" \
    --service-account "projects/$project/serviceAccounts/$deployer" \
    --local-source "$stage/terraform_min" --inputs-file "$settings"
}

parse "$@"
stage_files
apis
agents
if [ "$by" = terraform ]; then by_terraform; else by_infra_manager; fi
done_with deployed ": an object under gs://$deployment-$project-inbox/incoming/ starts a run"
