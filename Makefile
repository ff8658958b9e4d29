# `make` lists the targets. Everything runs in .venv, which `./test` or `make setup` makes.
PY := .venv/bin/python
HERE := $(CURDIR)
CODE := src tests tools $(wildcard bench)
PYTEST := $(PY) -m pytest -q
UV := UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never .venv/bin/uv

.DEFAULT_GOAL := help
.PHONY: help setup check format lint types imports migrations templates test test-all fix lock messages bench soak dev

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv, static assets, database and example
	./run --setup

check: format lint types imports migrations templates test ## Everything a commit must pass

format: ## Is the code formatted?
	.venv/bin/ruff format --check $(CODE)

lint: ## Rules of style and safety
	.venv/bin/ruff check $(CODE)

types: ## mypy --strict with django-stubs
	BITGOEUL_HOME=$(HERE)/build/check .venv/bin/mypy src

imports: ## Which room may import which
	.venv/bin/lint-imports

migrations: ## Is a migration missing?
	BITGOEUL_HOME=$(HERE)/build/check $(PY) -m django makemigrations --check --dry-run --settings bitgoeul.site.settings

templates: ## Are the templates well formed?
	find src -name '*.html' -path '*/templates/*' -print0 | xargs -0r .venv/bin/djade --target-version 5.2 --check

test: ## Tests without the slow ones and the browser
	$(PYTEST) -m "not slow and not browser"

test-all: ## All tests
	./test --all

fix: ## Format code and templates, and correct what can be corrected by itself
	.venv/bin/ruff format $(CODE)
	.venv/bin/ruff check --fix $(CODE)
	find src -name '*.html' -path '*/templates/*' -print0 | xargs -0r .venv/bin/djade --target-version 5.2

lock: ## Renew requirements/*.txt and package-lock.json
	cd requirements && for name in runtime dev node; do \
	  ../.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade $$name.in -o $$name.txt || exit 1; done
	npm install --package-lock-only --ignore-scripts --no-audit --no-fund

messages: ## Collect texts into the rooms' catalogues
	$(PY) tools/messages.py

bench: ## Measurements under bench/, one JSON line each
	@for file in bench/*.py; do nice -n 5 $(PY) $$file || exit 1; done

soak: ## Fifty rounds of kill -9 at random points
	SOAK_ROUNDS=50 $(PYTEST) tests/journeys -m slow -k kill

dev: ## The web process alone, reloading when code changes
	$(PY) -m django runserver --settings bitgoeul.site.settings 127.0.0.1:8000
