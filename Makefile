# Everything runs in .venv, which every target sets up first; done once, that costs a moment.
#
#   PYTHON   the Python that makes .venv, 3.11 or later
#   JOBS     test processes side by side
#   TESTS    what `make test` runs, for example TESTS=tests/ir (without the gate on coverage)
#   TRIED    what `make false-alarms` tries, for example TRIED="--seeds 2 lenet"
#   SWEEP    what `make sweep` sweeps, for example SWEEP="--count 500 Conv2d pooling"
#   PORTABILITY  what `make portability` runs, for example PORTABILITY="lenet --runtime tract"

PYTHON ?= python3
JOBS ?= 2
TESTS ?=
SWEEP ?= --compare 500
TRIED ?=
PORTABILITY ?=
BIN := .venv/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test lint types format mutants false-alarms sweep bench latency portability wheel wheel-test clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## Create or refresh .venv from pyproject.toml and constraints.txt
	@GOAL="$(firstword $(MAKECMDGOALS))" "$(PYTHON)" .ci/environment.py

demo: setup ## Build specs/lenet.yaml: checked, exported to exports/lenet.onnx, verified
	$(BIN)/netspec build specs/lenet.yaml

test: lint types ## Run everything: format, lint, types, tests with the gate on coverage
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(or $(TESTS),--cov)

lint: setup ## Check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup ## Check types, strictly
	$(BIN)/mypy

format: setup ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

sweep: setup ## Hold 20,000 random configurations of the operations against torch, and 500 by its exporter
	$(BIN)/python -m tests.sweep --jobs $(JOBS) $(SWEEP)

bench: setup ## Measure: one table per script of tests/benchmarks
	@set -e; for script in tests/benchmarks/*.py; do echo "== $$script"; \
		$(BIN)/python -m "tests.benchmarks.$$(basename "$$script" .py)"; done

latency: setup ## Time onnxruntime on every spec's export, beside torch's exporter; ten minutes
	$(BIN)/python -m tests.benchmarks.latency --all

portability: setup ## Run every export on other runtimes, and write exports/README.md's table; half an hour
	$(BIN)/python -m tests.portability $(PORTABILITY)

mutants: setup ## Change exports in over 1,000 ways, and show which gate finds each
	$(BIN)/python -m tests.verify.mutants --jobs $(JOBS)

false-alarms: setup ## Verify right exports of every spec at 20 seeds; hours, less with TRIED="--seeds 2 lenet"
	$(BIN)/python -m tests.trials.false_alarms $(TRIED)

specs: setup ## Build every spec and variant at full size; half an hour
	$(BIN)/python -m tests.trials.every_spec

wheel: setup ## Build the wheel and the source distribution into dist/
	@rm -rf dist
	$(BIN)/python -m build --outdir dist

wheel-test: wheel ## Install the wheel with all it needs in a fresh environment, and use it there
	@rm -rf build/wheel-test && mkdir -p build/wheel-test
	"$(PYTHON)" -m venv build/wheel-test/venv
	build/wheel-test/venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
	cp specs/lenet.yaml build/wheel-test/
	cd build/wheel-test && venv/bin/netspec doctor && venv/bin/netspec check lenet.yaml \
		&& venv/bin/netspec build lenet.yaml && venv/bin/netspec verify exports/lenet.onnx

clean: ## Remove .venv, caches and built files (exports/ and runs/ stay)
	rm -rf .venv build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find netspec tests -name __pycache__ -type d -prune -exec rm -rf {} +
