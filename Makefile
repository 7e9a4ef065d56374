.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3.11
ASSETS ?= BTCUSD,ETHUSD
DAYS ?= 7
BIN := .venv/bin
READY := .venv/.ready .cache/jars/.ready
IVY := $(BIN)/../lib/python3.11/site-packages/pyspark/jars/ivy-2.5.3.jar
JAVA := $(if $(JAVA_HOME),$(JAVA_HOME)/bin/java,java)

# Machines behind a company's proxy carry its certificate where the system looks, not where uv does.
export UV_SYSTEM_CERTS = true

.PHONY: help setup backfill up down status test check lock browser screenshots docs bench

help:  ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(READY)  ## Virtual environment and JARs; skipped when they are there

backfill: $(READY)  ## Candles from the exchange to gold: make backfill ASSETS=… DAYS=… PROVIDER=…
	@$(BIN)/lakehouse backfill --assets $(ASSETS) --days $(DAYS) $(if $(PROVIDER),--provider $(PROVIDER))

up: $(READY)  ## Start Airflow, the engine and the simulated exchange; says how to sign in
	@$(BIN)/lakehouse up

down: $(READY)  ## Stop what runs for this lake
	@$(BIN)/lakehouse down

status: $(READY)  ## What runs for this lake
	@$(BIN)/lakehouse status

test: $(READY) check browser  ## The whole test suite, checks included
	$(BIN)/pytest

check: $(READY)  ## Lint and types; repairs nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar --config dbt/.sqlfluff dbt/models dbt/macros

lock: .venv/.ready  ## Pin what requirements.in asks for in requirements.txt
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --overrides overrides.txt \
		requirements.in --output-file requirements.txt

INSTALL_CHROMIUM := apt-get install --quiet --quiet --yes chromium

browser:
	@command -v chromium >/dev/null || test "$$(id -u)" != 0 || $(INSTALL_CHROMIUM) >/dev/null 2>&1 \
		|| { apt-get update --quiet --quiet && $(INSTALL_CHROMIUM) >/dev/null; }
	@command -v chromium >/dev/null || { echo "The tests need Chromium: install Debian's package chromium." >&2; exit 1; }

screenshots: $(READY) browser  ## The pictures of Airflow's pages in docs/, taken anew
	LAKEHOUSE_SCREENSHOTS=docs/images $(BIN)/pytest --numprocesses 0 tests/e2e/test_airflow.py -k 'form or corrupted'

docs: $(READY)  ## Data dictionary from the table registry, real outputs in the pages of docs/
	$(BIN)/python -m lakehouse.data_dictionary docs/data_dictionary.md
	$(BIN)/python -m tests.e2e.documented

# FLAGS go to each of them: make bench NAMES="backfill gate" FLAGS="--rounds 5 --engines sail"
NAMES ?= backfill increment query gate start week files layout gaps
bench: $(READY)  ## Timings, side by side, into benchmarks/RESULTS.md: make bench NAMES=… FLAGS=…
	status=0; for name in $(NAMES); do $(BIN)/python -m benchmarks.$$name $(FLAGS) || status=1; done; exit $$status

.venv/.ready: requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "The lakehouse needs Python 3.11: install it, or name it with make PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip sync --quiet --compile-bytecode requirements.txt
	$(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

.cache/jars/.ready: conf/ivy.xml .venv/.ready
	@$(BIN)/python -W ignore -m lakehouse.engine.java
	@mkdir -p .cache
	$(JAVA) -jar $(IVY) -ivy conf/ivy.xml -cache .cache/ivy -types jar bundle -error \
		-retrieve '.cache/jars/[conf]/[artifact]-[revision].[ext]' > .cache/ivy.log
	@touch $@
