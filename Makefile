# Parlance. `make live` is all a new machine needs; `make test` and `make check` are for those who change it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: live test test-long test-all test-postgresql test-failed test-long-failed test-postgresql-failed check lock messages

# More than the cores of a small machine: most tests wait for a process, a lease or a page for most of their time.
TEST_PROCESSES ?= 3

# Passed on to `manage.py live`: make live OPTIONS="--host 0.0.0.0 --port 8001"
OPTIONS ?=

live: $(INSTALLED)
	@$(BIN)/python manage.py models fetch --no-unpack
	@exec $(BIN)/python manage.py live $(OPTIONS)

# Weights first: a server that starts while they are on their way does without them, and the next one does not.
test: $(INSTALLED)
	@$(BIN)/python manage.py models fetch
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup --no-loadscope-reorder --durations 25 -m "not long"

test-all: test test-long

# What takes minutes by nature.
test-long: $(INSTALLED)
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup --no-loadscope-reorder --durations 25 -m long

# What faces the database, on a PostgreSQL that is started for it (Debian: apt-get install postgresql).
test-postgresql: $(INSTALLED)
	@$(BIN)/python manage.py models fetch
	$(BIN)/python -m tests.on_postgresql -n $(TEST_PROCESSES) --dist loadgroup --no-loadscope-reorder --durations 10 -m "not long"

# What failed in the last run, one at a time. Nothing having failed is an error: then the run broke off before.
LAST_FAILED := --last-failed --last-failed-no-failures none -n 1 --dist loadgroup

test-failed test-long-failed: $(INSTALLED)
	$(BIN)/python -m pytest $(LAST_FAILED)

test-postgresql-failed: $(INSTALLED)
	$(BIN)/python -m tests.on_postgresql $(LAST_FAILED)

check: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive inference meetings
	$(BIN)/python .ci/audit.py
	$(BIN)/python manage.py makemigrations --check --dry-run --verbosity 0
	@if command -v node >/dev/null; then set -e; for file in static/js/*.js; do \
	    node --input-type=module --check < "$$file" || { echo "$$file is no valid module" >&2; exit 1; }; done; fi

# The compiled texts of the interface, after a change of meetings/locale/*/LC_MESSAGES/*.po.
messages: $(INSTALLED)
	@$(BIN)/python -c 'import pathlib, polib; [polib.pofile(str(path)).save_as_mofile(str(path.with_suffix(".mo"))) for path in pathlib.Path("meetings/locale").glob("*/LC_MESSAGES/*.po")]'

# The pins of what is installed now, with the hashes of the package index (.ci/lock.py says what goes where).
lock:
	$(BIN)/python .ci/lock.py

# Touched last, so an installation that broke off is done again; nothing changed costs nothing. No file is taken whose hash is
# not in the lock. PyTorch comes in the build that the index has for the machine, with what that build needs.
$(INSTALLED): requirements.lock requirements-dev.lock requirements-torch.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Parlance needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	@echo 'Installing what requirements*.lock pin into $(VENV): minutes the first time, seconds later.'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --no-deps --require-hashes --requirement requirements.lock --requirement requirements-dev.lock
	@$(PIP) --requirement requirements-torch.lock
	@touch $@
