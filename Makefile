# Needs Python >= 3.11, make and git; everything else goes into .venv, from requirements.lock.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

# The first of these that runs and is new enough; PYTHON=... chooses another.
CANDIDATES := python3.13 python3.12 python3.11 python3 python
PYTHON ?= $(shell for name in $(CANDIDATES); do \
	if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then command -v $$name; break; fi; done)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check reliability kills soak format tables docs lock bench clean

help:
	@echo "make demo     train DreamerV3 on CartPole-v1, evaluate it, and film it awake and dreaming (10 minutes)"
	@echo "make setup    only install, into .venv"
	@echo "make test     the whole test suite"
	@echo "make check    format, lint, types, architecture, docs"
	@echo "make reliability  kill, damage and starve runs; nothing may be lost (make kills: 500 times; make soak: a million steps)"
	@echo "make format   let ruff rewrite what check would refuse"
	@echo "make docs     the documentation, into docs/_build/html"
	@echo "make tables   the tables of README and documentation, from results/"
	@echo "make bench    measure the speed of this machine"
	@echo "make lock     resolve requirements.lock again (UPGRADE=--upgrade for newer versions)"
	@echo "make clean    remove caches and build outputs; .venv and runs/ stay"

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; found none of: $(CANDIDATES)."; \
		echo "Install one, or say where it is: make setup PYTHON=/path/to/python3"; exit 1; }
	@$(BIN)/python -c "" 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || { \
		echo "$(PYTHON) cannot make a virtual environment (on Debian and Ubuntu: apt install python3-venv)."; exit 1; }
	@echo "Installing $$(grep -c == requirements.lock) packages into $(VENV) with $$($(BIN)/python --version); a few minutes the first time."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-input --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-input --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)
	@$(BIN)/reverie demo

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/python -m pytest -q tests/architecture
	@$(MAKE) docs

reliability: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile reliability

kills: $(STAMP)
	RELIABILITY_KILLS=500 $(BIN)/python -m pytest reliability/test_kills.py

soak: $(STAMP)
	$(BIN)/python -m reliability.soak

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

tables: $(STAMP)
	$(BIN)/python docs/conf.py

docs: $(STAMP)
	$(BIN)/python -m sphinx -q -W --keep-going -E -b html docs docs/_build/html

bench: $(STAMP)
	$(BIN)/python -m benchmarks

lock: $(STAMP)
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--fork-strategy fewest --generate-hashes --no-emit-index-url --no-emit-find-links --quiet $(UPGRADE) -o requirements.lock

clean:
	rm -rf build dist docs/_build .pytest_cache .ruff_cache .hypothesis .cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
