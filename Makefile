# What people and CI call. `make demo` needs Python 3.11 and nothing else; `make test` and `make lab` also use Java 17
# and Maven.

PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: venv demo test check lab lab-bigtable lab-down test-matrix test-slow bench

venv: .venv/ready

.venv/ready: requirements.lock requirements-build.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "hbase-ferry needs Python 3.11 or newer; set PYTHON")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements.lock -r requirements-build.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q src
	touch $@

demo: venv
	$(BIN)/hbase-ferry demo

demo-bigtable: venv
	$(BIN)/hbase-ferry demo --target bigtable

test: venv
	$(BIN)/python tests/halves.py

check: venv
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lab: venv
	$(BIN)/python -m lab up

lab-bigtable: venv
	$(BIN)/python -m lab up --bigtable

lab-down: venv
	$(BIN)/python -m lab down

test-matrix: venv
	$(BIN)/python -m pytest -m matrix

test-slow: venv
	$(BIN)/python -m pytest -m slow

bench: venv
	$(BIN)/python -m bench
