# Everything that a person or a machine does with the project. Needs Python 3.11 or newer and make; each target brings the rest.
#
#   make demo ARGS=--once    options of `zeppelin demo` go into ARGS
#   make test ARGS="-k mst"  options of pytest likewise

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BOOTSTRAP := .zeppelin/bootstrap
# A uv of the machine's own is taken when there is one: it must read the lock file, so any of the last year will do.
UV ?= $(or $(shell command -v uv),$(BOOTSTRAP)/bin/uv)
BIN := .venv/bin
CHECK_HOME := .zeppelin/check
JOBS ?= 2
FIGURES := devnet decode extract load growth sizes backfill
ARGS ?=

PYTHON_FOLDERS := zeppelin_pipeline zeppelin_api tests bench tools
# What is left for later does not stand in the code; a test that does not run is no test.
PROMISES := TODO|FIXME|XXX|NotImplementedError|pytest\.skip|mark\.skip|importorskip|unittest\.skip|xfail

export DAGSTER_DISABLE_TELEMETRY := yes
# Every run of an asset is a new process: without compiled bytecode each would compile its imports anew.
unexport PYTHONDONTWRITEBYTECODE
export VIRTUAL_ENV := $(CURDIR)/.venv
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help demo up test check test-network conformance bench clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .zeppelin/kernels ## The whole way over a small network on loopback, until Ctrl-C (ARGS=--once checks itself and ends)
	$(BIN)/zeppelin demo $(ARGS)

up: .zeppelin/kernels ## The pipeline and the API over the real network
	$(BIN)/zeppelin up $(ARGS)

test: .zeppelin/kernels ## All tests that need no network
	$(BIN)/pytest -n $(JOBS) --dist loadfile -m "not network" $(ARGS)

check: .venv/.synced ## Style, types, layers, dependencies, definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/deptry zeppelin_pipeline zeppelin_api
	@mkdir -p $(CHECK_HOME) && cp dagster.yaml $(CHECK_HOME)
	DAGSTER_HOME=$(CURDIR)/$(CHECK_HOME) $(BIN)/dg check defs
	@! grep -rnE --include='*.py' '\b($(PROMISES))\b' $(PYTHON_FOLDERS)

test-network: .zeppelin/kernels ## Against the official PLC and PDS from npm
	$(BIN)/pytest -m network tests/network $(ARGS)

conformance: .zeppelin/kernels ## Our API against the official AppView from npm, field by field (ARGS=--help)
	$(BIN)/python -m tests.conformance $(ARGS)

bench: .zeppelin/kernels ## All figures; one alone is `.venv/bin/python -m bench.extract`
	for figure in $(FIGURES); do $(BIN)/python -m bench.$$figure || exit 1; done

clean: ## Remove all that was made here, the demo's data included
	rm -rf .venv .zeppelin .pytest_cache .ruff_cache .hypothesis .import_linter_cache bench/out
	find $(PYTHON_FOLDERS) -name __pycache__ -type d -prune -exec rm -rf {} +

# What reads repositories is compiled when it is first needed; here, before anything waits for it.
.zeppelin/kernels: .venv/.synced $(wildcard zeppelin_pipeline/*/kernels/*.py)
	$(BIN)/zeppelin compile
	@mkdir -p $(@D) && touch $@

.venv/.synced: pyproject.toml uv.lock | $(UV)
	$(UV) sync --locked --compile-bytecode --python $(PYTHON)
	@touch $@

$(BOOTSTRAP)/bin/uv: tools/bootstrap_uv.py
	$(PYTHON) tools/bootstrap_uv.py $(BOOTSTRAP)
