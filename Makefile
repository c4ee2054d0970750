# Every target works from a fresh clone: it makes .venv and installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= data
DEMO := demo-data
# Tests wait for servers and browsers half of their time: one worker more than there are cores.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
HOST ?= 127.0.0.1
PORT ?= 8787

.DEFAULT_GOAL := help
.PHONY: help install install-dev serve demo demo-clean compile compile-clean wheels test test-compiled fuzz check format \
	simulate bench measure screenshots clean

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

$(VENV)/.bench: $(VENV)/.dev pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	@touch $@

install: $(VENV)/.run ## Make .venv and install what serving needs

install-dev: $(VENV)/.dev ## Make .venv and install what developing needs

serve: install ## Serve on http://127.0.0.1:8787, data in ./data (PORT=, DATA=, HOST=)
	@exec $(BIN)/tokenboard --data $(DATA) serve --host $(HOST) --port $(PORT)

demo: install ## Serve a year of invented apps and models from ./demo-data (PORT=, HOST=)
	@$(BIN)/tokenboard --data $(DEMO) seed
	@exec $(BIN)/tokenboard --data $(DEMO) serve --host $(HOST) --port $(PORT)

demo-clean: ## Remove ./demo-data
	@if $(BIN)/tokenboard --data $(DEMO) counters >/dev/null 2>&1; then \
	  echo "the demo is running: stop it with Ctrl-C first" >&2; exit 1; fi
	rm -rf ./$(DEMO)

compile: install-dev compile-clean ## Compile the hot modules here, beside their sources (a C compiler, about a minute)
	TOKENBOARD_COMPILE=1 $(BIN)/python setup.py --quiet build_ext --inplace
	@$(BIN)/python -c 'import tokenboard; print(tokenboard.BUILD_FORM)'

compile-clean: ## Remove what `make compile` made: the Python sources run again
	@find src -name '*.so' -delete -o -name '*.pyd' -delete
	@rm -rf src/tokenboard/compiled.json build/mypyc build/temp.*

wheels: install-dev compile-clean ## Build the wheel of pure Python, and that with compiled modules for this Python, into dist/
	rm -rf build/lib* build/bdist.*
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	rm -rf build/lib* build/bdist.*
	TOKENBOARD_COMPILE=1 $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	rm -rf build/lib* build/bdist.*

test: export TOKENBOARD_PURE := 1
# Each worker and each server of the tests loads the same modules: compiled once, whatever the shell's own habit is.
test test-compiled fuzz: export PYTHONDONTWRITEBYTECODE :=
test: install-dev ## Run all tests; those in a browser need Chromium, those of other clients npm: installed where that may be
	@sh tests/install.sh
	@sh tests/clients/install.sh $(BIN)/python
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder

test-compiled: install-dev ## Run the tests of the hot modules on their compiled form, built in build/compiled (a C compiler)
	@sh tests/compiled.sh $(BIN)/python --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder

SEEDS ?= 10000
simulate: export TOKENBOARD_PURE := 1
simulate: install-dev ## Run the durable path under many seeds of crashes, delays and faults (SEEDS=10000)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

fuzz: install-dev ## Thousands of requests made of the OpenAPI document, and long lives of a board beside the reference
	TOKENBOARD_FUZZ_CASES=10000 TOKENBOARD_TEST_LIVES=60 TOKENBOARD_TEST_EFFORT=20 $(BIN)/python -m pytest --timeout=3600 \
	  tests/api/test_fuzz.py tests/analytics/test_every_answer.py tests/catalog tests/rankings

check: install-dev ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install-dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A Python named on the command line gets an environment of its own to be measured in: .venv may be made of another.
ifeq ($(origin PYTHON),command line)
bench:
	@$(MAKE) --no-print-directory measure VENV=.bench/venv-$(subst /,-,$(PYTHON))
else
bench: measure
endif
bench: ## Measure; prints the tables of docs/performance.md (ONLY=, ROUNDS=, PROXIES=, PYTHON=: see there)

measure: $(VENV)/.bench
	@$(BIN)/python -m benchmarks $(ONLY) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(PROXIES),--proxies "$(PROXIES)")

screenshots: install-dev ## Take docs/screenshots of the demo in a headless Chromium (TOKENBOARD_TEST_CHROMIUM=)
	$(BIN)/python -m tests.screens

clean: ## Remove .venv and caches, never data
	rm -rf $(VENV) .bench .clients .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
