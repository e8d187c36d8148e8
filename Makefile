# `make run` and `make test` are all you need; both are safe to repeat.
# README.md and docs/ say which plain commands stand behind them.

PORT ?= $(or $(shell sed -n 's/^PORT=//p' .env 2>/dev/null),5000)
PYTHON ?= python3
BIN := .venv/bin

# `make check` looks at one room: ROOM=outbox, or those of the files that git calls changed or new.
CHANGED = $(shell git status --porcelain -uall 2>/dev/null | sed -E 's,.* ,,; s,^(tests|tools|templates)/,,; s,^test_,,; s,[/.].*,,' | sort -u)
TESTS_OF = $(wildcard $(foreach room,$(1),tests/$(room) tests/test_$(room).py tools/$(room)/tests))
CHECKED = $(or $(call TESTS_OF,$(or $(ROOM),$(CHANGED))),$(if $(ROOM),,tests/message),$(error ROOM=$(ROOM) has no tests; name a folder or test_<name>.py of tests/, or a folder of tools/))

.PHONY: help run check test init test-init lint simulator demo drill faults fuzz bench screenshots lock setup setup-dev browser
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  %-12s %s\n", $$1, $$2 }'

run: setup ## set up and serve http://127.0.0.1:5000 with reload (PORT=8000 for another port)
	@test -f .env || cp .env.example .env
	@$(BIN)/flask db upgrade
	@PORT=$(PORT) $(BIN)/flask run --port $(PORT)

check: setup-dev browser ## lint, types and the tests of the rooms you changed, or of ROOM=outbox; no PostgreSQL, nothing slow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -m "not slow" -k "not postgresql" $(CHECKED)

test: STARTED := $(shell date +%s)
test: setup-dev browser ## set up, then lint, types and all tests: seven minutes on two quiet cores
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest
	@echo "make test took $$(( $$(date +%s) - $(STARTED) )) seconds"

# make passes on what stands behind `make init`; a NAME of the shell (WSL sets one) is not meant.
init: setup-dev ## make this clone your own (NAME="Acme"; FROM= COLOUR= DROP= KEEP= are optional)
	@$(if $(filter command line,$(origin NAME)),,NAME=) $(BIN)/python -m tools.init

test-init: setup-dev browser ## take a cloner's first steps and every drop of make init in copies, and test those: an hour
	$(BIN)/python -m tests.template.first_steps
	$(BIN)/python -m tests.template.init_proof

lint: setup-dev ## format, and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

simulator: setup ## a local stand-in for the providers' APIs on http://127.0.0.1:8025
	$(BIN)/python -m tools.simulator --port 8025

demo: setup-dev ## all parts together, with a provider that reports back (PROVIDER=sendgrid PORT=8000 SIMULATOR_PORT=8026)
	@$(BIN)/python -m tools.demo --port $(PORT) $(if $(PROVIDER),--provider $(PROVIDER)) $(if $(SIMULATOR_PORT),--simulator-port $(SIMULATOR_PORT))

drill: setup-dev ## kill every part under load and count every email, over an hour (RUN=F1 SEED=7 EMAILS=300 KILLS=8: shorter)
	$(BIN)/python -m tools.drill $(RUN) $(if $(SEED),--seed $(SEED)) $(if $(EMAILS),--emails $(EMAILS)) $(if $(KILLS),--kills $(KILLS))

faults: setup-dev ## stop, freeze and poison real processes, take broker, database and key away: ten minutes
	$(BIN)/python -m tools.drill faults

fuzz: setup-dev ## 10,000 true and forged deliveries to each webhook of the running app (SEED=7 to repeat a run)
	$(BIN)/python -m tools.drill fuzz $(if $(SEED),--seed $(SEED))

bench: setup-dev ## measure every sender, the engine and the accept path beside their peers: ten minutes (ONLY=engine: one part)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tools/benchmarks/requirements.txt
	@$(BIN)/python -m tools.benchmarks $(ONLY)

screenshots: setup-dev browser ## draw the pictures of docs/screenshots/ that show emails and the gallery
	$(BIN)/python -m tests.template.screenshots

lock: setup-dev ## pin the requirements anew from requirements*.in, with their hashes
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-header --no-annotate --generate-hashes -o requirements.txt requirements.in
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-header --no-annotate --generate-hashes -o requirements-dev.txt requirements-dev.in

setup: .venv/installed
setup-dev: .venv/installed-dev

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "This needs Python 3.11 or newer; %s is %d.%d. Try: make $(MAKECMDGOALS) PYTHON=python3.12" % ((sys.executable,) + tuple(sys.version_info[:2])))'
	@echo "creating .venv and installing the requirements (once)"
	@$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# The tests drive a real browser: Debian's Chromium, or the one that Playwright brings.
browser: setup-dev
	@$(BIN)/python -m tools.browser --install
