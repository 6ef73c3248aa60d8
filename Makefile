# One command each: `make run` serves, `make test` tests, `make check` lints, types and import contracts.
# All of them set up what they need; uv is pinned, and taken from the machine where it is the same version.

UV_VERSION := 0.13.8
PYTHON ?= python3
UV := .uv/bin/uv
BIN := .venv/bin

.PHONY: run setup test check format lock screenshot clean
.DEFAULT_GOAL := run

run: setup
	@$(BIN)/python -m ui serve --ingest-articles

setup: .venv/.ready

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Attune needs Python 3.11 or newer, found " + sys.version.split()[0] + ". Run: make PYTHON=/path/to/python3.11 …")'
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.ready: uv.lock pyproject.toml | $(UV)
	@echo "Setting up .venv from uv.lock …"
	@$(UV) sync --locked --compile-bytecode --python $(PYTHON)
	@touch $@

test: setup
	@$(BIN)/python -m pytest -n auto

# What pip installs, with --no-deps, where uv is not wanted (docs/install.md).
EXPORT := $(UV) export --locked --no-dev --group model --no-annotate --no-header --quiet

lock: $(UV)
	@$(UV) lock
	@$(EXPORT) --output-file requirements.txt

check: setup
	@$(EXPORT) | diff - requirements.txt >/dev/null || { echo "requirements.txt is not what uv.lock says. Run: make lock"; exit 1; }
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# The pictures of the README, taken from what `make run` serves; needs Chromium.
screenshot: setup
	@$(BIN)/python docs/screenshot.py

clean:
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache
