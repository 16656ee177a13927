# The commands of the README. All of them use the virtual environment .venv in this folder; `interop` makes three more.

# The Python that creates .venv: 3.11, else 3.13, else 3.12, if it has venv and ensurepip. Override it: make PYTHON=...
PYTHON ?= $(or $(shell for python in python3.11 python3.13 python3.12; do \
	$$python -c 'import venv, ensurepip' > /dev/null 2>&1 && echo $$python && break; done),$(error \
	no Python 3.11, 3.12 or 3.13 with venv and ensurepip: install one (Debian 12 and 13, Ubuntu 24.04: \
	sudo apt install python3-venv) or set its path (make PYTHON=/path/to/python)))
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest --disable-warnings
SPREAD := --numprocesses auto --maxprocesses 4 --dist loadfile
# A single file runs in one process: there pytest reports a wrong path, and how many tests it deselected.
OF_T = $(if $(T),$(if $(wildcard $(T)/.),$(SPREAD)) $(T),$(SPREAD))

.PHONY: install demo check test test-slow stores stress interop cluster bench docs lint format clean
.DELETE_ON_ERROR:

install: .venv/installed

$(BIN)/python:
	$(PYTHON) -m venv --clear .venv

# A new .venv triggers an installation. An existing one does not, even if its Python is newer.
.venv/installed: pyproject.toml constraints.txt $(if $(realpath $(BIN)/python),,$(BIN)/python)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

demo: install
	$(BIN)/gritmill demo

# Quick tests for development, about a minute: no models, no detectors, a quarter of the hypothesis examples.
# Many of these tests wait for other processes: three at once keep two cores busy.
check: install lint
	$(PYTEST) --numprocesses 3 --dist loadfile -m 'not slow and not model' --hypothesis-profile check \
	    tests/transforms tests/pipeline --ignore tests/transforms/detectors \
	    --ignore tests/pipeline/stages/test_shared_detector.py

# For test and test-slow, T=tests/... selects a folder or a file; then ruff and mypy do not run.
test: install $(if $(T),,lint)
	$(PYTEST) -m 'not slow' $(OF_T)$(if $(T), || { [ $$? = 5 ] && echo 'all tests there are slow: use make test-slow'; })

test-slow: install
	$(PYTEST) -m slow $(OF_T)$(if $(T), || { [ $$? = 5 ] && echo 'no slow tests there: use make test'; })

# Emulators of Google Cloud Storage and Azure with the clients, for slow tests. Azurite is a program of npm.
stores: install
	$(BIN)/python -m pip install --quiet --constraint constraints.txt gcsfs adlfs gcp-storage-emulator
	npm install --silent --no-audit --no-fund --prefix .stores azurite@3.35.0

stress: install
	$(BIN)/python -m stress kills
	$(BIN)/python -m stress flips
	$(BIN)/python -m stress races
	$(BIN)/python -m stress mutations
	$(BIN)/python -m stress memory

# Each list of versions is an environment: img2dataset and datumaro exclude current versions of the other libraries.
interop: install $(patsubst %,.venv-interop/%/installed,img2dataset libraries datumaro)
	$(BIN)/python -m interop$(if $(PHOTOS), --photos '$(PHOTOS)')

.venv-interop/%/installed: interop/requirements/%.txt | install
	$(BIN)/python -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --no-compile --requirement $<
	touch $@

# Flink and Spark, on this machine: about 570 MB into .clusters/ the first time. Needs Java 17.
cluster: install
	$(BIN)/python -m cluster $(ENGINE:%=--engine %) $(ROW:%=--row %)

bench: install
	$(BIN)/python -m benchmarks $(if $(PHOTOS),--photos '$(PHOTOS)') \
	  $(if $(CAPTIONS),--captions '$(CAPTIONS)') $(if $(PARSER),--parser '$(PARSER)') \
	  $(if $(SCENES),--scenes '$(SCENES)')

# API pages, from the docstrings, in build/api/.
docs: install
	$(BIN)/python docs/api.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-interop .stores .clusters dist build
