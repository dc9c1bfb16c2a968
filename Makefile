# make demo | test | check | bench | soak | lock | package | clean. Each sets up .venv by itself.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test check bench fuzz fuzz-doors coverage soak lock package clean

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

test: $(READY)  ## formatting, types and all tests
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

check: $(READY)  ## only formatting and types
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

package: $(READY)  ## the functions' archive, the same bytes every time
	$(BIN)/python -m cli.package -o build/functions.zip

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock"
lock: $(READY)  ## pin everything again from pyproject.toml
	$(LOCK) pyproject.toml --output-file requirements.txt
	$(LOCK) pyproject.toml --group dev --constraints requirements.txt --output-file requirements-dev.txt

clean:  ## remove what make made (not out/)
	rm -rf $(VENV) build .sealtrain .mypy_cache .ruff_cache .pytest_cache
