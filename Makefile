# Everything runs from a virtual environment in .venv that `make setup` builds from uv.lock.
# A machine needs Python 3.11 to 3.13 and Java 17 or 21; the rest is fetched.

PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
STAMP := .venv/.synced
WHOLE := .venv/.synced-torch

# One folder of jars for the commands and for the tests, wherever SLIPSTREAM_HOME points.
export SLIPSTREAM_JARS ?= $(or $(SLIPSTREAM_HOME),$(CURDIR)/.slipstream)/jars

# Tests run in so many processes, each with its Spark session of 2 GB; a file's tests stay together, for they share what
# they read. Files keep their order: those that take minutes come first, and many quick ones fill the end. A process
# that dies ends the run, which would else wait for ever for the one that takes its place.
TEST_PROCESSES ?= 2
PARALLEL := -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

# One race from its messages to the summaries of its drivers.
ONE_PASS := tests/spark/medallion/gold/test_drivers.py::test_summaries_are_what_the_pure_functions_give

# The longest first; three at once keep two cores busy to the end.
CHECKS := .check-unit .check-spark .check-style .check-layers .check-types

# uv works in our environment with its own interpreter and downloads no other.
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON := $(BIN)/python
export UV_PYTHON_DOWNLOADS := never
# As pip does: else the first start of each command compiles what it imports, and every start where nothing may be kept.
export UV_COMPILE_BYTECODE := 1
unexport VIRTUAL_ENV PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: .java .jars .check-unit .check-spark .check-style .check-layers .check-types help setup demo check test test-unit test-spark test-integration lint type arch tables images bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .jars $(WHOLE) ## Build .venv from uv.lock and fetch the Spark and Kafka jars; repeats nothing

demo: .jars ## Simulate a race, run the whole pipeline, train a model, draw what came out
	@$(BIN)/slipstream demo

check: setup ## Check what a change can break in five minutes: style, layers, types, quick unit tests, a pass on Spark
	@started=$$(date +%s); \
	  $(MAKE) --no-print-directory --keep-going -j3 $(CHECKS) && \
	  echo "All checks passed in $$(($$(date +%s) - started)) s"

# $(call step,name,command): runs it, says in one line how it ended, and shows what it printed if it failed.
define step
@started=$$(date +%s); log=$$(mktemp); echo "$(1) …"; \
  ($(2)) >"$$log" 2>&1; status=$$?; outcome=passed; \
  if [ $$status -ne 0 ]; then outcome=FAILED; cat "$$log"; fi; rm -f "$$log"; \
  echo "$(1): $$outcome in $$(($$(date +%s) - started)) s"; exit $$status
endef

.check-style:
	$(call step,style,$(BIN)/ruff check . && $(BIN)/ruff format --check .)

.check-layers:
	$(call step,layers,$(BIN)/lint-imports)

.check-types:
	$(call step,types,$(BIN)/mypy)

.check-spark:
	$(call step,a race through Spark,$(BIN)/python -m pytest $(ONE_PASS))

.check-unit:
	@$(BIN)/python -m pytest -q $(PARALLEL) -m "not slow" tests/unit

test: setup ## Run all tests: unit, Spark and integration, in two processes
	$(BIN)/python -m pytest $(PARALLEL) tests

test-unit: $(WHOLE) ## Run the tests that need neither Java nor a server
	$(BIN)/python -m pytest $(PARALLEL) tests/unit

test-spark: setup ## Run the tests that need Spark
	$(BIN)/python -m pytest $(PARALLEL) tests/spark

test-integration: setup ## Run the tests that start a broker, a server or a cluster
	$(BIN)/python -m pytest $(PARALLEL) tests/integration

lint: $(WHOLE) ## Check style and format with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(WHOLE) ## Check types with mypy, strictly
	$(BIN)/mypy

arch: $(WHOLE) ## Check that imports go one way
	$(BIN)/lint-imports

tables: $(WHOLE) ## Write the tables of docs and CONTRIBUTING.md's packages anew from contracts and jobs
	$(BIN)/python docs/generate_tables.py
	$(BIN)/python docs/generate_jobs.py
	$(BIN)/python docs/generate_packages.py

images: setup ## Draw the pictures of docs anew from a seeded run: ten minutes, and Chromium
	$(BIN)/python docs/draw_images.py

bench: setup ## Run the benchmarks; results go to benchmarks/results
	@$(BIN)/python -m uv sync --quiet --frozen --all-extras --no-extra notebook --group peers
	$(BIN)/python -m benchmarks

clean: ## Remove caches and build output; .venv and what runs have kept stay
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache spark-warehouse metastore_db derby.log
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

define CHECK_JAVA
from infra.local.java import JavaMissingError, find_java
try:
    find_java()
except JavaMissingError as error:
    raise SystemExit(str(error))
endef

define FETCH_JARS
from conf.settings import get_settings
from infra.local.jars import JarError, ensure_jars
from rich.console import Console
try:
    ensure_jars(get_settings(), Console(stderr=True))
except JarError as error:
    raise SystemExit(str(error))
endef

export CHECK_JAVA FETCH_JARS

.jars: .java $(STAMP)
	@$(BIN)/python -c "$$FETCH_JARS"

# Before anything is downloaded; infra.local.java needs nothing but Python.
.java: | .venv/bin/python
	@$(BIN)/python -c "$$CHECK_JAVA"

# A Python that fits: the one named, else the first of the versions that do.
.venv/bin/python:
	@for python in "$(PYTHON)" python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then \
	    echo "Making .venv with $$("$$python" --version)"; \
	    "$$python" -m venv .venv && exit 0; \
	    rm -rf .venv; \
	    echo "$$python cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	  fi; \
	done; \
	echo "Slipstream needs Python 3.11, 3.12 or 3.13; $(PYTHON) is: $$("$(PYTHON)" --version 2>&1 | head -n 1)." >&2; \
	echo "Install one, then name it if it is not on the PATH: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1

$(STAMP): pyproject.toml uv.lock | .venv/bin/python
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade >/dev/null
	@echo "Installing the packages of uv.lock into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/python -m uv sync --quiet --frozen --inexact --all-extras --no-extra all --no-extra notebook --no-extra torch
	@touch $@

# torch is as large as all else together, and only training a ghost and the tests need it.
$(WHOLE): $(STAMP)
	@echo "Installing torch into .venv"
	@$(BIN)/python -m uv sync --quiet --frozen --all-extras --no-extra notebook
	@touch $@
