# The two commands that matter: make demo, make test. `make` alone lists them all.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.synced
DEMO_DIR ?= backlight-demo

.PHONY: help setup demo test test-all check bench bench-ingest bench-guard train tune docs clean
help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# ensurepip is missing on a bare Debian; with root we add it, without we say what to ask for.
$(STAMP): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Backlight needs Python 3.11 or newer; $(PYTHON) is older. Set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; } || { echo "Python's venv module is missing: install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"
	UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --frozen --inexact --extra test --extra train --python $(BIN)/python --no-progress --quiet
	@touch $@

setup: $(STAMP) ## make .venv from the lock file

demo: setup ## simulate the story, find its operations, write a report to look at
	$(BIN)/backlight demo --out $(DEMO_DIR)

test: setup ## every test that takes minutes at most
	$(BIN)/pytest -n 2 -m "not slow and not spark and not browser"

test-all: setup ## the slow ones too
	$(BIN)/pytest -n 2

check: setup ## types and style
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/mypy

bench: bench-ingest bench-guard ## every benchmark (never part of CI)

bench-ingest: setup ## ingest of a 2 GB log against DuckDB's own reader
	$(BIN)/python bench/ingest.py

bench-guard: setup ## the guard beside its bare upstream
	$(BIN)/python bench/guard.py

train: setup ## fit the behaviours' heads anew after a change of an example
	$(BIN)/python -m backlight.signals.train

tune: setup ## tune the encoder anew after a change of many examples, then fit the heads (ten minutes)
	$(BIN)/python -m backlight.signals.tune
	$(BIN)/python -m backlight.signals.train

docs: setup ## write --help and the tables of the docs anew
	$(BIN)/python docs/generate.py

clean: ## remove the environment and the demo
	rm -rf $(VENV) $(DEMO_DIR)
