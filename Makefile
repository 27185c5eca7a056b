# camalert. `make run` starts it, `make test` tests it, `make help` lists everything.

# The configuration that `make run` starts with, and the Python to make .venv with (empty: the first that is new enough).
CONFIG ?= config.toml
PYTHON ?=
export PYTHON

VENV := .venv
# Test processes beside each other, three on two cores: most system tests wait more than they work.
JOBS ?= 3
# Installed where they can be: what makes it faster or nicer, but is not needed to run.
WISHES := openvino,fast,metrics,review,notify,push
# What `make fuzz` does: how long for each target, and which (empty: all).
SECONDS ?= 60
TARGETS ?=
INSTALLED := $(VENV)/.installed
DEVELOPMENT := $(VENV)/.development
SOURCES := camalert supervisor.py tests perf release homeassistant

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check format-check lint types unit all-tests hog versions fuzz bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

# --- use ---------------------------------------------------------------------------------------------------------------

run: $(INSTALLED) ## install into .venv and start the service in the foreground (Ctrl-C ends it)
	@exec $(VENV)/bin/python supervisor.py --config "$(CONFIG)"

$(INSTALLED): pyproject.toml requirements.lock .ci/venv
	@.ci/venv $(VENV) "" $(WISHES)
	@touch $@

# --- development -------------------------------------------------------------------------------------------------------

test: format-check lint types versions all-tests ## everything: format, lint, types, and all tests

check: format-check lint types unit ## what is quick: format, lint, types, unit tests

format-check: $(DEVELOPMENT)
	@$(VENV)/bin/ruff format --quiet --check $(SOURCES) || { echo "repair with: $(VENV)/bin/ruff format $(SOURCES)"; exit 1; }

lint: $(DEVELOPMENT)
	@$(VENV)/bin/ruff check --quiet $(SOURCES)

types: $(DEVELOPMENT)
	@$(VENV)/bin/mypy

unit: $(DEVELOPMENT)
	@$(VENV)/bin/python -m pytest -n $(JOBS) tests/unit

all-tests: $(DEVELOPMENT)
	@$(VENV)/bin/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

hog: ## the tests of engine "hog", in a .venv-hog of its own with the OpenCV that has it
	@.ci/hog .venv-hog

versions: $(DEVELOPMENT) ## the unit tests with each other Python version that is found
	@.ci/versions

$(DEVELOPMENT): pyproject.toml requirements.lock .ci/venv
	@.ci/venv $(VENV) dev $(WISHES)
	@touch $@ $(INSTALLED)

fuzz: $(DEVELOPMENT) ## fuzz every reader of foreign bytes, SECONDS=60 each (JOBS=2 beside each other)
	@$(VENV)/bin/python -c 'import atheris' 2>/dev/null || .ci/venv $(VENV) dev,fuzz $(WISHES)
	@cd tests && PYTHONPATH=..:. $(CURDIR)/$(VENV)/bin/python -m fuzz $(TARGETS) --seconds $(SECONDS) --jobs $(JOBS)

bench: $(DEVELOPMENT) ## measure speed and memory; writes perf/RESULTS.md
	@$(VENV)/bin/python perf/results.py

clean: ## remove what was installed and built; var/ with the database stays
	rm -rf $(VENV) .venv-hog $(RELEASE_VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- a machine's own service -------------------------------------------------------------------------------------------

include systemd/install.mk

# --- releases ----------------------------------------------------------------------------------------------------------

include release/release.mk

# --- the review site in a real browser ---------------------------------------------------------------------------------

include tests/browser/browser.mk
