# Two commands do everything: `make up` brings up a pool, `make test` proves the project. `make check` is lint and the
# tests that take under a second each, for while you work.

PYTHON ?= python3.11
BIN := .venv/bin
# The CPU build: an open range would download several GB of CUDA. On GPU machines: make up TORCH=torch==2.13.0
TORCH ?= torch==2.13.0+cpu
TORCH_INDEX := https://download.pytorch.org/whl/cpu
PIP := $(BIN)/python -m pip install --disable-pip-version-check -qq --constraint constraints.txt

.PHONY: up setup test check quick-planning quick-others lint soak bench clean

up: setup
	@$(BIN)/tenfold up

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@echo "installing into .venv (some minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) "$(TORCH)" 2>.venv/torch.log || $(PIP) "$(TORCH)" --index-url $(TORCH_INDEX) || { cat .venv/torch.log; exit 1; }
	@$(PIP) --editable .
	@touch $@

.venv/ready-dev: .venv/ready
	@echo "installing what the tests need"
	@$(PIP) --editable ".[dev]"
	@touch $@

.venv/browser: .venv/ready-dev
	@.ci/browser
	@touch $@

test: .venv/browser lint
	@.ci/test

check: .venv/ready-dev
	@$(MAKE) --no-print-directory --jobs=2 lint quick-planning quick-others

PLANNING := tests/compute tests/plan tests/policy tests/replay
QUICK := $(BIN)/pytest -m "not slow and not soak" --hypothesis-profile=quick --durations=5 --durations-min=1

quick-planning: .venv/ready-dev
	@$(QUICK) $(PLANNING)

quick-others: .venv/ready-dev
	@$(QUICK) $(addprefix --ignore=,$(PLANNING))

lint: .venv/ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyrefly check
	@$(BIN)/lint-imports
	@$(BIN)/deptry .

soak: .venv/ready-dev
	@$(BIN)/pytest -m soak -s tests/e2e/test_soak.py
	@$(BIN)/pytest -m soak -s tests/e2e/test_soak_faults.py
	@$(BIN)/pytest -m soak -s tests/llama/test_two_machines.py

bench: setup
	@for name in moves flex faults gateway pool_live pool_scale pool_quality compute_accuracy plan_speed plan_stability plan_quality rank_quality; do \
		echo "bench/$$name.py"; $(BIN)/python bench/$$name.py || exit 1; done

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis
