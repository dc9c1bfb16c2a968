# `make` lists the targets. Each sets up .venv by itself.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
GATES := .venv-gates
GATES_READY := $(GATES)/.ready

.PHONY: help demo test gates check bench fuzz fuzz-doors coverage soak lock world schema package clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Sealtrain needs Python 3.11 or newer, got {v.major}.{v.minor}: set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)  ## the main job on the stand-in cloud, on real data; results in out/
	@$(BIN)/sealtrain demo

test: $(READY)  ## lint, types and all tests
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile

gates: $(READY)  ## Terraform: formatting, plans, policy, permissions, checkov (needs terraform; no cloud, no account)
	@command -v terraform >/dev/null || { echo "make gates: NOTHING WAS CHECKED. terraform 1.7 or newer is not on the path: install it (https://developer.hashicorp.com/terraform/install) and run this again" >&2; exit 1; }
	@$(MAKE) --no-print-directory $(GATES_READY) build/used-grants.json
	$(BIN)/pytest -n 2 --dist loadfile -m gate tests/terraform_min

$(GATES_READY): requirements-gates.txt
	$(PYTHON) -m venv --clear $(GATES)
	$(GATES)/bin/pip install --quiet --disable-pip-version-check --requirement requirements-gates.txt
	@touch $@

build/used-grants.json:  # `make test` writes it, too
	$(BIN)/pytest tests/journeys

check: $(READY)  ## only lint and types
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY)  ## the measurements, side by side with a peer or a floor
	$(BIN)/python bench/cold_start.py
	$(BIN)/python bench/run_overhead.py
	$(BIN)/python bench/sealing.py
	$(BIN)/python bench/evidence.py
	$(BIN)/python bench/doors.py

fuzz: $(READY)  ## a million changed inputs over all verifiers of evidence
	$(BIN)/python -m tests.fuzz --inputs 1000000

fuzz-doors: $(READY)  ## ten minutes of good, nearly good and hostile requests to the stand-in
	$(BIN)/python -m tests.fuzz.doors --seconds 600

coverage: $(READY)  ## which lines of localcloud/ its door tests and the journeys reach
	$(BIN)/python -m tests.coverage_of_localcloud

soak: $(READY)  ## the long stories: 50 kills of the stand-in, 50 runs at once
	$(BIN)/python -m tests.journeys.soak kills
	$(BIN)/python -m tests.journeys.soak runs

world: $(READY) $(GATES_READY)  # what `sealtrain up` applies, from terraform_min/
	$(BIN)/python -m cli.deploy.blueprint
	$(BIN)/python -m tests.terraform_min.make_world

BINDINGS := cdktn-provider-google==21.1.0
schema:  # the provider's schema, cut to the types that terraform_min/ uses
	$(PYTHON) -m pip download --quiet --no-deps --dest build/bindings $(BINDINGS)
	$(PYTHON) tests/terraform_min/offline/extract_schema.py build/bindings/*.whl terraform_min tests/terraform_min/offline/google_schema.json.gz

package: $(READY)  ## the functions' archive, the same bytes every time
	$(BIN)/python -m cli.package -o build/functions.zip

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock"
lock: $(READY)  ## pin everything again from pyproject.toml
	$(LOCK) pyproject.toml --output-file requirements.txt
	$(LOCK) pyproject.toml --group dev --constraints requirements.txt --output-file requirements-dev.txt
	$(LOCK) --group gates --output-file requirements-gates.txt

clean:  ## remove what make made (not out/)
	rm -rf $(VENV) $(GATES) build .sealtrain .mypy_cache .ruff_cache .pytest_cache
