# CodeWave's pipeline on one machine. Needs Python 3.11, make, git and curl; everything else is set up into .cache.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
MAKEFLAGS += --no-print-directory

STARTED := $(subst N,,$(shell date +%s.%N))
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV := $(CURDIR)/.cache/bin/uv
export UV_PYTHON_DOWNLOADS ?= never
export PATH := $(CURDIR)/.cache/bin:$(PATH)

# What `make run` plays; all optional. The defaults are those of `codewave run --help`.
TRACE ?=
ROOMS ?=
SECONDS ?=
RATE ?=
SEED ?=
CHAOS ?=
# What `make bench` measures: 1 for all but the derived tables (`python -m bench --help`).
FULL ?=
RUN_OPTIONS = $(if $(ROOMS),--rooms $(ROOMS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE)) \
  $(if $(SEED),--seed $(SEED)) $(if $(CHAOS),--chaos '$(CHAOS)') $(TRACE)

.PHONY: run test bench airflow check setup environment clean help

run: setup ## start the local stack, play a workload through it, print what arrived (TRACE= ROOMS= SECONDS= RATE= SEED= CHAOS=)
	export CODEWAVE_SETUP_SECONDS=$$(.venv/bin/python -c 'import time; print(round(time.time() - $(STARTED), 1))')
	$(UV) run --frozen codewave run $(RUN_OPTIONS)

# Tests of the whole stack wait most of the time: all others run beside them and are shown at the end.
test: setup ## every test, unit to system
	log=$$(mktemp) beside=
	trap '[ -z "$$beside" ] || kill -- -$$beside 2>/dev/null || true; rm -f "$$log"' EXIT
	echo "test: all others run beside those of the whole stack; what they say comes last" >&2
	run_beside() {
	  local failed=0
	  $(UV) run --frozen pytest -m 'not system' --durations=15 || failed=1
	  $(UV) run --frozen pytest -m system --ignore tests/system --durations=15 || failed=1
	  return $$failed
	}
	set -m # or what runs in the background could not be interrupted, and some tests interrupt
	{ renice -n 10 $$BASHPID; run_beside; } >"$$log" 2>&1 & beside=$$!
	set +m
	system_failed=0 beside_failed=0
	$(UV) run --frozen pytest tests/system --durations=40 || system_failed=$$?
	wait $$beside || beside_failed=$$?
	cat "$$log"
	if [ $$system_failed$$beside_failed != 00 ]; then echo "test: system tests ended with $$system_failed, those beside them with $$beside_failed" >&2; exit 1; fi

bench: setup ## the side-by-side benchmarks, under 5 minutes (FULL=1 for the thorough ones, under 40)
	$(UV) run --frozen python -m bench $(if $(FULL),--full)

airflow: setup ## Airflow's web page on the local lake, until Ctrl-C (`make run` fills the lake)
	$(UV) run --frozen codewave dags web

check: environment ## lint, format, types, layers, SQL lint
	$(UV) run --frozen ruff check .
	$(UV) run --frozen ruff format --check .
	$(UV) run --frozen mypy
	$(UV) run --frozen lint-imports --no-cache
	$(UV) run --frozen sqlfluff lint --disable-progress-bar flink_jobs codewave/lake iceberg

setup: environment ## install everything the local stack needs into .venv, .venv-flink and .cache
	$(UV) run --frozen python -m codewave.local.install

environment:
	@if [ -z "$(PYTHON)" ]; then echo "setup: Python 3.11 is needed; install it, or name it: make PYTHON=/path/to/python3.11 …" >&2; exit 1; fi
	"$(PYTHON)" deploy/bootstrap
	[ -d .venv ] || echo "setup: Python packages into .venv" >&2
	$(UV) sync --frozen --quiet || { echo "setup: uv could not install the Python packages (see above); check the network (proxy, UV_DEFAULT_INDEX, SSL_CERT_FILE), then run make again" >&2; exit 1; }

clean: ## remove .local (data); downloads in .cache stay
	if [ -x .venv/bin/codewave ]; then .venv/bin/codewave down; fi
	rm -rf .local

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
