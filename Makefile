# `make` lists the targets. Everything runs in .venv, which `./test` or `make setup` makes.
PY := .venv/bin/python
HERE := $(CURDIR)
CODE := src tests tools $(wildcard bench)
PYTEST := $(PY) -m pytest -q
UV := UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never .venv/bin/uv

.DEFAULT_GOAL := help
.PHONY: help setup check format lint types imports migrations templates messages test test-postgresql postgres slurm test-all fix lock texts reference bundle bench soak dev

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv, static assets, database and example
	./run --setup

check: ## Everything a commit must pass: checks, then tests without the slow ones and the browser
	$(PY) tools/checks.py && $(MAKE) --no-print-directory test

format lint types imports migrations templates messages:
	@$(PY) tools/checks.py $@

test: ## Tests without the slow ones and the browser
	$(PYTEST) -n auto --dist loadfile -m "not slow and not browser"

test-postgresql: ## The same tests on a PostgreSQL server of their own
	$(PY) tools/postgres.py with $(PYTEST) -n auto --dist loadfile -m "not slow and not browser"

postgres: ## A PostgreSQL server in var/postgres until Ctrl-C; says how to use it
	$(PY) tools/postgres.py run var/postgres

slurm: ## A private Slurm of six pretended nodes until Ctrl-C, as root; says how to use it
	$(PY) tools/slurm_testbed.py run $(or $(DIR),/var/tmp/bitgoeul-slurm) --install

test-all: ## All tests, on SQLite and on PostgreSQL
	./test --all

fix: ## Format code and templates, and correct what can be corrected by itself
	.venv/bin/ruff format $(CODE)
	.venv/bin/ruff check --fix $(CODE)
	find src -name '*.html' -path '*/templates/*' -print0 | xargs -0r .venv/bin/djade --target-version 5.2

lock: ## Renew requirements/*.txt and package-lock.json
	cd requirements && for name in runtime dev node; do \
	  ../.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade $$name.in -o $$name.txt || exit 1; done
	npm install --package-lock-only --ignore-scripts --no-audit --no-fund

texts: ## Collect texts into the rooms' catalogues
	$(PY) tools/messages.py update

reference: ## Write docs/reference/states.md, rights.md and openapi.json from the code
	$(PY) tools/reference.py

bundle: ## Code, wheels and static files for a closed network, in build/
	$(PY) tools/bundle.py

bench: ## Measurements under bench/, one JSON line each
	@for file in bench/*.py; do nice -n 5 $(PY) $$file || exit 1; done

soak: ## The full counts of races, kills and cut connections on both databases (hours); ARGS="--database sqlite --tenth kills"
	nice -n 5 $(PY) tools/soak.py $(ARGS)

dev: ## The web process alone, reloading when code changes
	$(PY) -m django runserver --settings bitgoeul.site.settings 127.0.0.1:8000
