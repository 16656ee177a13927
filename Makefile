# The commands of the README. Everything happens in this folder's own virtual environment.

PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: install demo test stress bench lint format clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

demo: install
	$(BIN)/gritmill demo

test: install lint
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

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
