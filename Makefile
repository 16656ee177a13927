# The commands of the README. Everything happens in this folder's own virtual environment.

PYTHON ?= python3.11
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: install demo check test test-slow stress bench lint format clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

demo: install
	$(BIN)/gritmill demo

# Under a minute, for while one works: no models, no detectors, and a fifth of hypothesis' examples.
check: install lint
	$(PYTEST) -m 'not slow and not model' --hypothesis-profile check \
	    tests/transforms tests/pipeline --ignore tests/transforms/detectors

# T=tests/... of the next two: only the tests in there, without ruff and mypy.
test: install $(if $(T),,lint)
	$(PYTEST) -m 'not slow' $(T)

test-slow: install
	$(PYTEST) -m slow $(T)

stress: install
	$(BIN)/python -m stress kills
	$(BIN)/python -m stress memory

bench: install
	$(BIN)/python -m benchmarks $(if $(PHOTOS),--photos '$(PHOTOS)')

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv dist build
