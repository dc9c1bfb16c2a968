# Who besides the functions may do what, on which resource, and why.
#
# - `on` is a word: project, dataset, bucket:WORD, ring:WORD, key:WORD, topic:WORD, subscription:WORD,
#   account:WORD, repository:WORD, service:FUNCTION. iam.tf puts each grant on that very resource.
# - `role` is a predefined role, or the word of a custom one (roles.tf).
# - The workload cannot open a data key: only the attested member can, on the release ring.
# - Google's service agents get what Google documents for the feature that is used, and nothing more.

locals {
  number = var.project_number
  agents = {
    artifactregistry = "serviceAccount:service-${local.number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    bigquery         = "serviceAccount:bq-${local.number}@bigquery-encryption.iam.gserviceaccount.com"
    compute          = "serviceAccount:service-${local.number}@compute-system.iam.gserviceaccount.com"
    pubsub           = "serviceAccount:service-${local.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    storage          = "serviceAccount:service-${local.number}@gs-project-accounts.iam.gserviceaccount.com"
    workflows        = "serviceAccount:service-${local.number}@gcp-sa-workflows.iam.gserviceaccount.com"
  }
  member = { for word, account in google_service_account.account : word => "serviceAccount:${account.email}" }

  # The functions' own grants, from the step table.
  function_grants = { for name, g in var.blueprint.grants : name => {
    on        = g.on
    role      = g.role
    member    = local.member[g.account]
    reason    = g.reason
    condition = replace(replace(g.condition, "{project}", var.project_id), "{deployment}", var.deployment)
  } }

  invoker_grants = merge([for name, f in local.functions : { for invoker in f.invokers : "${invoker} calls ${name}" => {
    on     = "service:${name}"
    role   = "roles/run.invoker"
    member = local.member[invoker]
    reason = "${invoker} calls ${name}"
  } }]...)

  attested_grants = merge([for digest in var.approved_images : { for on in ["ring:release", "key:datasets"] : "attested ${digest} ${on}" => {
    on     = on
    role   = "roles/cloudkms.cryptoKeyDecrypter"
    member = "principalSet://iam.googleapis.com/${local.pool}/attribute.image_digest/${digest}"
    reason = "only a VM that attested this approved image opens a data key"
  } }]...)

  # One account serves all runs: what tells them apart is the order that each VM attests. So it may write
  # token and receipt below shown/, where no function lists anything, and nothing where a verdict, a ledger or a
  # proof stands: however much a VM writes, it stands in nobody's way. It may write no log entry:
  # an alarm in a log tears a run down, so it has to be the platform's word. The same goes for builds, whose
  # steps are other people's libraries; Cloud Build shows their output without.
  own_state    = "resource.name.startsWith(\"projects/_/buckets/${local.prefix}-state/objects/runs/\") && (resource.name.endsWith(\"/order.json\") || resource.name.endsWith(\"/release.json\"))"
  own_evidence = "resource.name.startsWith(\"projects/_/buckets/${local.prefix}-evidence/objects/shown/\")"
  any_sealed   = "resource.name.startsWith(\"projects/_/buckets/${local.prefix}-r\")"

  workload_grants = { for name, g in {
    "reads its order"          = { on = "bucket:state", role = "storage.objects.get", reason = "reads its order and the hand-over", condition = local.own_state }
    "reads the sealed dataset" = { on = "project", role = "storage.objects.get", reason = "reads the sealed dataset", condition = local.any_sealed }
    "writes its records"       = { on = "bucket:evidence", role = "storage.objects.create", reason = "writes its token and its receipt", condition = local.own_evidence }
    "compares its records"     = { on = "bucket:evidence", role = "storage.objects.get", reason = "compares a record that it wrote before", condition = local.own_evidence }
    "writes the model"         = { on = "bucket:models", role = "storage.objects.create", reason = "writes the sealed model" }
    "compares the model"       = { on = "bucket:models", role = "storage.objects.get", reason = "compares a part that it wrote before" }
    "writes a checkpoint"      = { on = "bucket:checkpoints", role = "storage.objects.create", reason = "leaves a sealed checkpoint when it is preempted" }
    "reads a checkpoint"       = { on = "bucket:checkpoints", role = "storage.objects.get", reason = "goes on from the checkpoint that its order names" }
    "wraps the model's key"    = { on = "key:models", role = "cloudkms.cryptoKeyVersions.useToEncrypt", reason = "wraps the model's key for the owner" }
    "wraps a checkpoint"       = { on = "key:checkpoints", role = "cloudkms.cryptoKeyVersions.useToEncrypt", reason = "wraps a checkpoint's key for attested machines" }
    "tells its end"            = { on = "topic:job-events", role = "pubsub.topics.publish", reason = "tells that the training ended" }
    "asks for tokens"          = { on = "project", role = "workload.attestation", reason = "asks the attestation service for tokens" }
    "pulls the trainer"        = { on = "repository:trainers", role = "roles/artifactregistry.reader", reason = "the launcher pulls the trainer's image" }
  } : "workload ${name}" => merge(g, { member = local.member["workload"] }) }

  # Cloud Functions copies the source into a bucket of its own, named by project and region.
  any_source = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${local.number}-\")"
  build_grants = { for name, g in {
    "reads the source" = { on = "project", role = "roles/storage.objectViewer", reason = "reads the functions' source where Cloud Functions puts it", condition = local.any_source }
    "writes the image" = { on = "repository:functions", role = "roles/artifactregistry.writer", reason = "keeps what it built" }
  } : "build ${name}" => merge(g, { member = local.member["build"] }) }

  owner_grants = merge([for owner in var.owners : { for name, g in {
    "opens models"   = { on = "key:models", role = "cloudkms.cryptoKeyVersions.useToDecrypt", reason = "opens the owner's own models" }
    "rewraps models" = { on = "key:models", role = "cloudkms.cryptoKeyVersions.useToEncrypt", reason = "wraps a model's key again after a rotation" }
    "seals datasets" = { on = "key:datasets", role = "cloudkms.cryptoKeyVersions.useToEncrypt", reason = "seals the owner's own datasets before upload" }
    "opens datasets" = { on = "key:datasets", role = "cloudkms.cryptoKeyVersions.useToDecrypt", reason = "opens the owner's own datasets" }
  } : "owner ${owner} ${name}" => merge(g, { member = owner }) }]...)

  auditor_grants = { for name, g in {
    "reads evidence" = { on = "bucket:evidence", role = "auditor.evidence", reason = "reads bundles, tokens and reports" }
    "reads the key"  = { on = "key:bundle", role = "auditor.bundle", reason = "fetches the public key that bundles are checked with" }
    "reads rows"     = { on = "dataset", role = "auditor.tables", reason = "compares the rows with the records" }
    "queries"        = { on = "project", role = "bigquery.jobs.create", reason = "a query is a job of the project that asks" }
  } : "auditor ${name}" => merge(g, { member = local.member["auditor"] }) }
  impersonation_grants = { for auditor in var.auditors : "auditor ${auditor}" => {
    on     = "account:auditor"
    role   = "iam.serviceAccounts.getAccessToken"
    member = auditor
    reason = "a named auditor acts as the auditor, on record"
  } }

  platform_grants = {
    "workflow executes" = { on = "project", role = "workflow.executions", member = local.member["workflow"], reason = "starts the teardown workflow and waits for it" }
    "push receives"     = { on = "project", role = "roles/eventarc.eventReceiver", member = local.member["push"], reason = "receives the storage events" }
    "sink publishes"    = { on = "topic:attestation-logs", role = "roles/pubsub.publisher", member = google_logging_project_sink.attestation.writer_identity, reason = "the sink publishes what tells of attestation, boot integrity and key uses" }
    "storage publishes" = { on = "project", role = "roles/pubsub.publisher", member = local.agents.storage, reason = "storage events go by way of Pub/Sub" }
    "dead letters"      = { on = "topic:dead-letters", role = "roles/pubsub.publisher", member = local.agents.pubsub, reason = "Pub/Sub moves what was refused too often" }
  }
  # Google's own account, the same for all its customers: it may publish only where a budget of ours has it do so.
  budget_grants = !var.budgeted ? {} : {
    "billing publishes" = { on = "topic:budget-alerts", role = "roles/pubsub.publisher", member = "serviceAccount:billing-budget-alert@system.gserviceaccount.com", reason = "the budget tells its state" }
  }
  dead_letter_grants = { for word, f in local.listeners : "dead letters of ${word}" => {
    on     = "subscription:${word}"
    role   = "roles/pubsub.subscriber"
    member = local.agents.pubsub
    reason = "Pub/Sub takes a dead letter off its subscription"
  } }

  grants = merge(
    local.function_grants, local.invoker_grants, local.attested_grants, local.workload_grants, local.build_grants, local.owner_grants,
    local.auditor_grants, local.impersonation_grants, local.platform_grants, local.budget_grants,
    local.dead_letter_grants,
  )
}
