# Throughline: `make` lists what there is. Everything sets itself up: Python 3.11 or newer, git and make are enough.

# The tested version first, then whatever the machine calls python3; `make PYTHON=...` names another one.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
PY     := .venv/bin/python

# Settings that look like production, for checks that read them and send nothing anywhere.
CHECK_ENV := DJANGO_SETTINGS_MODULE=hub.settings THROUGHLINE_TLS=true \
	THROUGHLINE_HOSTS=hub.example.org \
	THROUGHLINE_SECRET_KEY=only-for-checks-5e1f0a7c9b3d48e2a6f4c0d7b9e8a1f3c5d7e9 \
	THROUGHLINE_VAULT_KEYS=checks:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

# The suite runs on as many workers as there are cores here; override with `make test WORKERS=4`. Three were no faster on
# two cores: each worker makes a database of its own first.
WORKERS ?= 2
PYTEST_ARGS ?=

# No header, no annotations, no index: the files hold pins and hashes only, and plain pip takes them.
LOCK := ../.venv/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help demo test lint lint-django lint-types lint-settings lint-migrations lint-openapi bench bench-search bench-black-hole bench-workers storm lock setup setup-demo clean forget

help: ## list the targets
	@echo "Throughline. Targets:"
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | \
		while IFS="$$(printf '\t')" read -r name what; do printf '  make %-16s %s\n' "$$name" "$$what"; done

demo: setup-demo ## run the whole system with a private PostgreSQL, a hospital network and live traffic
	@exec $(PY) -m embedded.demo $(DEMO_ARGS)

test: setup ## run the whole test suite, with coverage
	@$(PY) -m pytest -q -n $(WORKERS) \
		--cov=hub --cov=mappings --cov=billing --cov=erp --cov-report=term --cov-fail-under=90 $(PYTEST_ARGS)

lint: setup ## check style, types, arrows, templates, settings, migrations and the OpenAPI document
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports
	git ls-files -z 'templates/*.html' '*/templates/*.html' | xargs -0 -r .venv/bin/djade --target-version 5.2 --check
	@$(PY) -m embedded --temporary run -- env $(CHECK_ENV) $(MAKE) --no-print-directory lint-django

# What has to read the settings, and so needs the addresses of servers; `make -k` shows the findings of all four.
lint-django: lint-types lint-settings lint-migrations lint-openapi

lint-types:
	.venv/bin/mypy

lint-settings:
	$(PY) -W error manage.py check --deploy --fail-level WARNING --database default

lint-migrations:
	$(PY) -W error manage.py makemigrations --check --dry-run

lint-openapi:
	$(PY) manage.py spectacular --validate --fail-on-warn --file /dev/null

bench: setup ## measure messages acknowledged and posted per second, beside this machine's own limits
	@$(PY) -m benchmarks.charge_to_cost $(BENCH_ARGS)

bench-search: setup ## measure pages and searches over ROWS (10000000) messages, and the drop of a month
	@$(PY) -m benchmarks.search --rows $(or $(ROWS),10000000) $(BENCH_ARGS)

bench-black-hole: setup ## measure what the other ERPs' deliveries notice while one ERP swallows everything
	@$(PY) -m benchmarks.black_hole $(BENCH_ARGS)

bench-workers: setup ## measure what a second worker process adds, and what it costs in processor time
	@$(PY) -m benchmarks.workers $(BENCH_ARGS)

storm: setup ## break everything for SECONDS (60) with the faults of a SEED, then check that nothing was lost or doubled
	@$(PY) -m storm --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED)) $(STORM_ARGS)

lock: setup ## write the pins anew from requirements/*.in
	cd requirements && $(LOCK) runtime.in -o runtime.txt
	cd requirements && $(LOCK) -c runtime.txt sftp.in -o sftp.txt
	cd requirements && $(LOCK) -c runtime.txt runtime.in embedded.in -o demo.txt
	cd requirements && $(LOCK) -c runtime.txt otel.in -o otel.txt
	cd requirements && $(LOCK) -c demo.txt -c sftp.txt -c otel.txt dev.in -o dev.txt

setup: ## make .venv with everything for tests and linters (done by the others when needed)
	@$(PYTHON) embedded/bootstrap.py dev

setup-demo:
	@$(PYTHON) embedded/bootstrap.py demo

clean: ## remove what tests, linters and builds left; the demo's data stays
	rm -rf .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov build dist
	rm -rf var/test var/static var/storm-*
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

forget: setup-demo ## remove the demo's data too, and begin anew
	@$(PY) -m embedded forget
	rm -rf var/demo
