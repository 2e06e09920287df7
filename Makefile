# Needs git, make and Python 3.11 or later; everything else is fetched and cached. `make` lists the targets.

# An exported KUBECONFIG would become a make variable and reach every recipe; nothing here may
# touch a cluster that was not named on the command line.
unexport KUBECONFIG PYTHONHOME VIRTUAL_ENV

export PYTHONPATH := $(CURDIR)/tests
export PYTHONUNBUFFERED := 1

SHELL := /bin/sh
BIN := .venv/bin
PACKAGES := .venv/packages.stamp
READY := .venv/ready.stamp
FOREIGN := .venv/foreign.stamp
SITE := .venv/site.stamp
SCAN := .venv/scan.stamp
RELEASE := exchange-push-operator
CHART := helm/$(RELEASE)
IMAGE ?= $(RELEASE):dev
BUILD_BASE ?=
BASE ?=
SAVE ?=
ARGS ?=
JOBS ?= 2
# The seed of what is random: other stories every night, and the same ones again.
NIGHT ?= $(shell date -u +%Y%m%d)

# Only the command line may name a cluster; an environment variable CLUSTER means something else.
ifeq ($(origin CLUSTER),command line)
DEMO_CLUSTER := --cluster "$(CLUSTER)"
endif

# The first Python that is new enough; `make PYTHON=/path/to/python3.12 ...` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo "$$p"; break; fi; done)

# make POWERSHELL=pwsh: the lab's servers run the shipped scripts in it.
WITH_POWERSHELL := $(if $(POWERSHELL),--powershell "$(POWERSHELL)")

.DEFAULT_GOAL := help
.PHONY: help demo assess lab test unit check lint lint-ci type arch verify render cov docs fmt lock image bench matrix nightly bench-exchange bench-failover e2e-cluster e2e-gitops bench-scale clean which-python
.DELETE_ON_ERROR:

help: ## This list
	@echo 'make demo    see the operator at work, in about a minute'
	@echo 'make test    run all tests'
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## Show the operator configuring and repairing Exchange (CLUSTER=kubeconfig for a cluster of yours)
	@$(BIN)/python -m lab.demo $(DEMO_CLUSTER) $(WITH_POWERSHELL) $(ARGS)

assess: $(READY) ## Look at an organisation of yours, read-only (ARGS='--server FQDN --username NAME@DOMAIN')
	@$(BIN)/exchange-push-operator assess $(ARGS)

lab: $(READY) ## Start control plane, lab and operator, and stay until Ctrl-C
	@$(BIN)/python -m lab $(WITH_POWERSHELL) $(ARGS)

test: $(READY) $(FOREIGN) $(SITE) ## All tests, JOBS=2 at a time (ARGS=... goes to pytest)
	@$(BIN)/python -m lab.control_plane ensure --all
	@$(BIN)/pytest $(WITH_POWERSHELL) $(if $(ARGS),$(ARGS),-n $(JOBS) --dist loadfile)

UNIT := tests/core tests/stages tests/properties

unit: $(READY) ## The tests of what is pure: core, stages, properties; seconds
	@$(BIN)/pytest -q -m 'not lab' $(UNIT) $(ARGS)

check: lint type arch verify lint-ci test ## What has to pass before a change goes in

lint: $(READY) ## ruff: rules and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

lint-ci: $(READY) $(SCAN) ## actionlint and zizmor over the workflows, hadolint over the Dockerfile
	@"$$($(BIN)/python -m lab.control_plane path actionlint)" -shellcheck= -pyflakes=
	@$(BIN)/zizmor --quiet --offline .github
	@$(BIN)/hadolint Dockerfile

type: $(READY) ## mypy, strict
	@$(BIN)/mypy

arch: $(READY) ## import-linter: the layers
	@$(BIN)/lint-imports --no-logo

verify: $(READY) ## Copies agree: CRD in the chart, rendered manifests
	@$(BIN)/python hack/verify.py

render: $(READY) ## Write those copies anew
	@$(BIN)/python hack/verify.py --write

cov: $(READY) $(FOREIGN) $(SITE) ## Tests with branch coverage; core, stages and reconcile need 95 %
	@$(BIN)/python -m lab.control_plane ensure --all
	@$(BIN)/pytest --cov --cov-report=term $(ARGS)
	@$(BIN)/coverage report --include='*/core/*,*/stages/*,*/reconcile.py,*/reconcile/*' --fail-under=95

docs: $(READY) $(SITE) ## The documentation site, in dist/site; a broken link is an error
	@$(BIN)/python hack/site.py
	@$(BIN)/zensical build --strict

fmt: $(READY) ## Put the code into shape
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lock: ## Compile requirements/ from pyproject.toml (UPGRADE=1 takes newer versions)
	$(CHECK_PYTHON)
	@sh hack/lock.sh "$(PYTHON)" $(if $(UPGRADE),--upgrade)

image: ## Build the container image (IMAGE=name:tag BUILD_BASE= BASE=; BASE=stand-in where none can be pulled; SAVE=file)
	@sh hack/image.sh "$(IMAGE)" "$(BUILD_BASE)" "$(BASE)" "$(SAVE)"

e2e-cluster: $(READY) ## Image and chart on a real node with the lab outside of it; root, Linux (ARGS=--base=stand-in)
	@$(BIN)/python -m lab.node $(ARGS)

bench: $(READY) ## The figures of docs/figures.md, measured
	@$(BIN)/python -m lab.figures $(ARGS)

bench-failover: $(READY) ## How long nobody works when the leader goes: killed, ended, frozen; five minutes
	@$(BIN)/python -m lab.failover $(ARGS)

matrix: $(READY) ## Every fault in every stage; writes the table of docs/reliability.md
	@$(BIN)/python -m lab.matrix $(ARGS)

nightly: $(READY) ## 10,000 random organisations with random faults, roll-overs under every fault, the matrix; about an hour (NIGHT=seed)
	@echo 'nightly: to be repeated with make nightly NIGHT=$(NIGHT)'
	@$(BIN)/pytest -q --hypothesis-profile=nightly --hypothesis-seed=$(NIGHT) --timeout=7200 -n $(JOBS) --dist worksteal tests/reliability $(ARGS)

e2e-gitops: $(READY) ## The operator under the real Argo CD and the real Flux; needs redis-server; minutes, and the first time Go builds
	@$(BIN)/python -m lab.gitops $(ARGS)

bench-exchange: $(READY) ## The table of docs/performance.md: our looks over WinRM against one script for each
	@$(BIN)/python -m lab.exchange_bench $(ARGS)

bench-scale: $(READY) ## 1,000 and 5,000 resources on a real API server: time, memory, writes
	@$(BIN)/python -m lab.scale $(ARGS)

clean: ## Remove what make has put into this folder (the cache of built binaries stays)
	rm -rf .venv .venv.lock .lab .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage dist

define CHECK_PYTHON
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or later is needed and none was found: install it, or name one with make PYTHON=/path/to/python3.12' >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo '$(PYTHON) is not Python 3.11 or later: name another with make PYTHON=/path/to/python3.12' >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo '$(PYTHON) has no venv module: install it (Debian and Ubuntu: apt-get install python3-venv), then run make again' >&2; exit 1; }
endef

which-python:
	@echo "$(PYTHON)"

# Remade only when the lock changes.
$(PACKAGES): requirements/dev.txt
	$(CHECK_PYTHON)
	@"$(PYTHON)" hack/setup_venv.py --stamp $@

# Microsoft's own clients, which judge the lab: 400 MB, so not for make unit, demo and lab.
$(FOREIGN): requirements/foreign.txt $(PACKAGES)
	@echo "setup: installing Microsoft's own clients for the tests (about a minute)" >&2
	@$(BIN)/python -m pip install -q --no-input --disable-pip-version-check --no-deps --require-hashes -r requirements/foreign.txt
	@touch $@

$(SITE): requirements/docs.txt $(PACKAGES)
	@echo "setup: installing what builds the documentation site" >&2
	@$(BIN)/python -m pip install -q --no-input --disable-pip-version-check --no-deps --require-hashes -r requirements/docs.txt
	@touch $@

$(SCAN): requirements/scan.txt $(PACKAGES)
	@$(BIN)/python -m pip install -q --no-input --disable-pip-version-check --no-deps --require-hashes -r requirements/scan.txt
	@touch $@

# The checkout itself as an editable install: gives the console command and its version.
$(READY): $(PACKAGES) pyproject.toml
	@mkdir -p operator/exchange_push_operator
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install -q --no-input --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@
