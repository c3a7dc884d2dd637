# Everything the project does, each target with its own set-up. `make` lists them.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# A group of tests, by default a file, stays in one of three processes, since those that
# wait for servers and tools leave a third of two cores idle; the longest begins.
PYTEST := $(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder
.DEFAULT_GOAL := help
# The stages that DVC starts are to find the project's own Python.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Where Python may not keep its bytecode, each process compiles TensorFlow's sources again: 5 s.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: repro
repro: $(READY) ## the main job: collisions to a promoted trigger, only what is out of date
	$(BIN)/python -m dvc repro

.PHONY: repro-jets
repro-jets: $(READY) ## the same for the jets task, in pipelines/jets, with the runs of the main job
	cd pipelines/jets && MLFLOW_TRACKING_URI=$${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db} \
	    $(CURDIR)/$(BIN)/python -m dvc repro

.PHONY: repro-pileup
repro-pileup: $(READY) ## the same for the pileup task, in pipelines/pileup
	cd pipelines/pileup && MLFLOW_TRACKING_URI=$${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db} \
	    $(CURDIR)/$(BIN)/python -m dvc repro

.PHONY: check
check: lint ## before a commit: lint and the quickest tests, at most a minute and a half
	$(PYTEST) --fast

.PHONY: test
test: lint ## what CI runs: lint and all tests; one of them builds the documentation
	$(PYTEST)

.PHONY: lint
lint: $(READY) ## ruff, mypy and the directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

.PHONY: docs
docs: $(READY) ## the documentation, into docs/_build/html; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

.PHONY: durations
durations: $(READY) ## all tests, and what each file takes into tests/durations.json: order, check
	$(PYTEST) --record-durations

.PHONY: results
results: $(READY) ## the figures of the pipeline and of the study, into docs/results and the README
	$(BIN)/python -m docs.generate.record

.PHONY: ui
ui: $(READY) ## open the logged runs in the browser, with MLflow on http://localhost:5000
	$(BIN)/l1distill ui

.PHONY: setup
setup: $(READY) ## only make .venv from requirements.lock

.PHONY: lock
lock: $(READY) ## resolve requirements.lock again from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --group dev pyproject.toml -o requirements.lock
	sed -i.bak "s/sha256 [0-9a-f]*/sha256 $$($(BIN)/python -c "import hashlib; print(hashlib.sha256(open('requirements.lock', 'rb').read()).hexdigest()[:16])")/" python_env.yaml && rm python_env.yaml.bak

.PHONY: clean
clean: ## remove .venv; data, models and runs stay
	rm -rf $(VENV)

# uv installs the lock in seconds where pip takes minutes; its own version and hash are in the lock.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	    echo "l1distill needs Python 3.11, found $$($(PYTHON) --version 2>&1); try: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
