#!/usr/bin/env bash
# Remove a deployment that deploy.sh made by Terraform. What stays: evidence and its keys, the access logs, the
# state's bucket, the APIs. Runs have to have ended: their buckets, machines and keys are theirs, not Terraform's.
# Run it again after any failure.
set -Eeuo pipefail
. "$(dirname "$0")/common.sh"
assume=there

usage() {
  say "usage: destroy.sh PROJECT [--region us-central1] [--deployment sealtrain] [--inputs FILE.tfvars] [--dry-run]"
}

# A machine that still runs would lose the keys and accounts under it.
nothing_runs() {
  [ "$dry_run" = no ] || return 0
  running=$(run gcloud compute instances list --project "$project" \
    --filter "labels.sealtrain-deployment=$deployment" --format 'value(name)')
  [ -z "$running" ] || fail "still running: $running; \`sealtrain teardown RUN\` first"
}

# Data and models are their owners', and the keys that would go are what opens them.
nothing_is_owned() {
  [ "$dry_run" = no ] || return 0
  for word in inbox models; do
    there gcloud storage ls "gs://$deployment-$project-$word/**" || continue
    fail "gs://$deployment-$project-$word is not empty: it is its owner's; have it moved or removed first"
  done
}

# The functions' source, the runs' working records and checkpoints would keep their buckets. A checkpoint opens
# under a key that goes as well, and only for an attempt at an upload, of which none is left.
empty_buckets() {
  for word in source state checkpoints; do
    there gcloud storage ls "gs://$deployment-$project-$word/**" || continue
    run gcloud storage rm --recursive "gs://$deployment-$project-$word/**" --quiet
  done
}

parse "$@"
[ "$by" = terraform ] || fail "what Infrastructure Manager made, it removes: gcloud infra-manager deployments delete"
stage_files
nothing_runs
nothing_is_owned
cd "$stage/terraform_min"
run terraform init -input=false -reconfigure
there terraform state show "$evidence.google_storage_bucket.evidence" && run terraform state rm "$evidence"
empty_buckets
bound_s=3600 run terraform destroy -input=false -auto-approve "${values[@]}"
done_with destroyed ". Evidence stays in gs://$deployment-$project-evidence, with its keys and the access logs"
