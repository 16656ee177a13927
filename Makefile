# The commands of the README. Everything happens in this folder's own virtual environment.

# The Python that makes it: 3.11, else the newest that has venv and ensurepip. make PYTHON=... takes another.
PYTHON ?= $(or $(shell for python in python3.11 python3.13 python3.12; do \
	$$python -c 'import venv, ensurepip' > /dev/null 2>&1 && echo $$python && break; done),$(error \
	no Python 3.11, 3.12 or 3.13 with venv and ensurepip: install one (Debian 12 and 13, Ubuntu 24.04: \
	sudo apt install python3-venv) or name yours (make PYTHON=/path/to/python)))
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest --disable-warnings
SPREAD := --numprocesses auto --maxprocesses 4 --dist loadfile
# One file stays in one process, where pytest says which path is wrong, and how many tests it has left out.
OF_T = $(if $(T),$(if $(wildcard $(T)/.),$(SPREAD)) $(T),$(SPREAD))

.PHONY: install demo check test test-slow stress bench lint format clean
.DELETE_ON_ERROR:

install: .venv/installed

$(BIN)/python:
	$(PYTHON) -m venv --clear .venv

# A Python that has just been made is newer than what is installed; one that was there does not count.
.venv/installed: pyproject.toml constraints.txt $(if $(realpath $(BIN)/python),,$(BIN)/python)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

demo: install
	$(BIN)/gritmill demo

# Under a minute, for while one works: no models, no detectors, and a quarter of hypothesis' examples.
check: install lint
	$(PYTEST) $(SPREAD) -m 'not slow and not model' --hypothesis-profile check \
	    tests/transforms tests/pipeline --ignore tests/transforms/detectors

# T=tests/... of the next two: only the tests in there, without ruff and mypy.
test: install $(if $(T),,lint)
	$(PYTEST) -m 'not slow' $(OF_T)$(if $(T), || { [ $$? = 5 ] && echo 'nothing but slow tests in there: make test-slow'; })

test-slow: install
	$(PYTEST) -m slow $(OF_T)$(if $(T), || { [ $$? = 5 ] && echo 'no slow test in there'; })

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
