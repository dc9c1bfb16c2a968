#!/bin/bash
# Stands in front of `bq`, `gcloud` and `terraform`: notes each call, remembers what was made, fails when told to.
# - What is looked at exists only once it was made; making it twice is refused, as Google does.
# - RECORD is the folder of the record; FAIL_AT the number of the call that fails, before its effect or, with AFTER=1,
#   after it.
call="$(basename "$0") $*"
printf '%s\n' "$call" >>"$RECORD/calls"
touch "$RECORD/made"
mapfile -t calls <"$RECORD/calls"
fails=no
[ "${#calls[@]}" != "${FAIL_AT:-0}" ] || fails=yes
[ $fails = no ] || [ "${AFTER:-0}" = 1 ] || exit 1

there() { grep -qxF -- "$1" "$RECORD/made"; }

make() { if there "$1"; then code=1; else printf '%s\n' "$1" >>"$RECORD/made"; fi; }

code=0
case $call in
  "gcloud storage buckets create "*) make "$4" ;;
  "gcloud iam service-accounts create "*) make "$4" ;;
  "gcloud storage buckets describe "* | "gcloud iam service-accounts describe "*) there "${4%%@*}" || code=1 ;;
  "gcloud storage ls "*) there "$3" || code=1 ;;
  "gcloud storage rm "*) ;;
  "terraform import "*) make "${*: -2:1}" ;;
  "terraform state show "*) there "$3" || code=1 ;;
  "terraform state rm "*) grep -vF -- "$3" "$RECORD/made" >"$RECORD/left"; mv "$RECORD/left" "$RECORD/made" ;;
esac
[ $fails = no ] || exit 1
exit $code
