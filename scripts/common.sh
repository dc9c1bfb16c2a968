# What deploy.sh and destroy.sh share. Sourced, not run.

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "$(basename "$0"): $*"
  exit 2
}

# Run a command, bounded in time; with --dry-run only print it.
run() {
  if [ "$dry_run" = yes ]; then
    printf '%q ' "$@"
    printf '\n'
    return 0
  fi
  timeout --foreground "${bound_s:-300}" "$@"
}

# The last word: what was done, or that nothing was.
done_with() {
  if [ "$dry_run" = yes ]; then say "dry run: nothing was called, nothing was $1"; else say "$1$2"; fi
}

# Whether a command that only looks succeeds. A dry run looks at nothing: it shows the longest way, so deploy.sh
# takes everything for missing and destroy.sh for there.
there() {
  if [ "$dry_run" = yes ]; then [ "$assume" = there ]; else timeout --foreground 120 "$@" >/dev/null 2>&1; fi
}

parse() {
  dry_run=no region=us-central1 deployment=sealtrain inputs= by=terraform project=
  while [ $# -gt 0 ]; do
    case $1 in
      --dry-run) dry_run=yes ;;
      --region) region=${2:?"--region needs a value"}; shift ;;
      --deployment) deployment=${2:?"--deployment needs a value"}; shift ;;
      --inputs) inputs=${2:?"--inputs needs a file"}; shift ;;
      --by) by=${2:?"--by needs terraform or infra-manager"}; shift ;;
      -h | --help) usage; exit 0 ;;
      -*) usage; fail "unknown option $1" ;;
      *) [ -z "$project" ] || fail "one project, got $project and $1"; project=$1 ;;
    esac
    shift
  done
  [[ $project =~ ^[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] || { usage; fail "got \"$project\", expected a project id"; }
  [[ $region =~ ^[a-z]+-[a-z]+[0-9]+$ ]] || fail "--region: got \"$region\", expected one like us-central1"
  [[ $deployment =~ ^[a-z][a-z0-9-]{0,7}[a-z0-9]$ ]] || fail "--deployment: got \"$deployment\", expected 2 to 9 of a-z, 0-9, -"
  [ "$by" = terraform ] || [ "$by" = infra-manager ] || fail "--by: got \"$by\", expected terraform or infra-manager"
  [ -z "$inputs" ] || [ -f "$inputs" ] || fail "--inputs: no file $inputs"
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  stage=$root/build/deploy-$project
  evidence="module.region[\"$region\"].module.evidence"
  values=(-var="project_id=$project" -var="region=$region" -var="deployment=$deployment")
  [ -z "$inputs" ] || values+=(-var-file="$(realpath "$inputs")")
}

# A copy that stands alone: the Terraform files, the workflows, the functions' archive, and where the state lies.
stage_files() {
  mkdir -p "$stage/build"
  cp -R "$root/terraform_min" "$root/workflows" "$stage/"
  [ -f "$root/build/functions.zip" ] || fail "no build/functions.zip: run \`make package\` first"
  cp "$root/build/functions.zip" "$stage/build/"
  printf 'terraform {\n  backend "gcs" {\n    bucket = "%s-%s-terraform"\n    prefix = "%s"\n  }\n}\n' \
    "$deployment" "$project" "$region" >"$stage/terraform_min/backend.tf"
}
