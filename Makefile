# Everything is installed into .venv by the first target that needs it. PYTHON: any Python from 3.11 on.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH ?= sim-dr4-full
PLAN ?= full
PACKAGES := drivers harness reports fixtures testplans

.PHONY: qualify test lint types contract unit soak bench physics lock format clean
.DEFAULT_GOAL := help
# Two halves of the tests share the machine: threads of BLAS that spin would take it from them.
export OPENBLAS_NUM_THREADS ?= 1

help:
	@echo "make qualify   full simulated qualification: verdict and report  (BENCH=$(BENCH) PLAN=$(PLAN) ARGS=...)"
	@echo "make test      all checks: lint, format, types, import contract, tests"
	@echo "make soak      the long matrices"
	@echo "make bench     the benchmarks"
	@echo "make physics   the figures and numbers of docs/physics.md, drawn anew"
	@echo "make format    put the code into its format"
	@echo "make lock      write requirements.lock anew from pyproject.toml"

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Lanewise needs Python 3.11 or newer; found $(PYTHON). Say: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

qualify: $(STAMP)
	@$(BIN)/lanewise qualify --bench $(BENCH) --plan $(PLAN) $(ARGS)

test: lint types contract unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

contract: $(STAMP)
	$(BIN)/lint-imports

# Two halves at a time, for machines have two cores at least. The second half's output comes when it is done.
unit: $(STAMP)
	@$(BIN)/pytest -m "not soak" -p no:cacheprovider --ignore tests/harness > .unit.log 2>&1 & rest=$$!; \
	$(BIN)/pytest -m "not soak" -p no:cacheprovider tests/harness; harness=$$?; \
	wait $$rest; other=$$?; cat .unit.log; rm -f .unit.log; exit $$((harness || other))

soak: $(STAMP)
	$(BIN)/pytest -m soak

bench: $(STAMP)
	$(BIN)/pytest tests/benchmarks --benchmark-enable --benchmark-only

physics: $(STAMP)
	$(BIN)/python docs/physics/plot.py

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(STAMP)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info
