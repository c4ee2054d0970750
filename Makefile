# Every target works from a fresh clone: it makes .venv and installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= data
DEMO := demo-data
HOST ?= 127.0.0.1
PORT ?= 8787

.DEFAULT_GOAL := help
.PHONY: help install install-dev serve demo demo-clean test check format bench clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.run

install: $(VENV)/.run ## Make .venv and install what serving needs

install-dev: $(VENV)/.dev ## Make .venv and install what developing needs

serve: install ## Serve on http://127.0.0.1:8787, data in ./data (PORT=, DATA=, HOST=)
	@exec $(BIN)/tokenboard --data $(DATA) serve --host $(HOST) --port $(PORT)

demo: install ## Serve a year of invented apps and models from ./demo-data (PORT=, HOST=)
	@$(BIN)/tokenboard --data $(DEMO) seed
	@exec $(BIN)/tokenboard --data $(DEMO) serve --host $(HOST) --port $(PORT)

demo-clean: ## Remove ./demo-data
	rm -rf ./$(DEMO)

test: install-dev ## Run all tests
	$(BIN)/python -m pytest

check: install-dev ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install-dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install-dev ## Measure; prints the tables of docs/performance.md (ONLY="rules rankings record gateway gateway-memory")
	@$(BIN)/python -m benchmarks $(ONLY)

clean: ## Remove .venv and caches, never data
	rm -rf $(VENV) .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
