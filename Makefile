# make demo   set up .venv, then run the main job on the dataset that ships with the package
# make test   set up .venv, then run all tests
# make docs   build the site into build/site
# make dist   build and check what is published
# make fuzz   load thousands of random datasets in every format
# They set up once and again only when pyproject.toml or constraints.txt change.

VENV := .venv
STAMP = $(VENV)/.installed
BIN = $(VENV)/bin

# The first interpreter that runs, is new enough and can make virtual environments.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo $$name; break; }; done)

DEMO_ARGS ?=
PYTEST_ARGS ?=
CHECKED = $(CURDIR)/build/checked

.PHONY: demo test lint types docs wheel dist clean ecosystem
.DELETE_ON_ERROR:

demo: $(STAMP)
	@echo "==> Running the main job: $(BIN)/offline-envs demo $(DEMO_ARGS)"
	$(BIN)/offline-envs demo $(DEMO_ARGS)

# One thread a process: two test processes with a pool of threads each would wait for one another.
test: $(STAMP)
	@echo "==> Running all tests in two processes"
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile $(PYTEST_ARGS)

# New random datasets every time, through every door, beside a plain loop.
.PHONY: fuzz
FUZZ ?= 5000
fuzz: $(STAMP)
	@echo "==> Loading $(FUZZ) random datasets in every format"
	OMP_NUM_THREADS=1 OFFLINE_ENVS_FUZZ=$(FUZZ) $(BIN)/pytest -q -s tests/data/test_fuzz.py tests/data/tables/test_fuzz.py

# The counts in docs/reliability.md: an hour.
.PHONY: reliability
KILLS ?= 100
MUTATIONS ?= 600
STEPS ?= 100000
reliability: fuzz
	@echo "==> Killing work at $(KILLS) file operations each, breaking files in $(MUTATIONS) ways, $(STEPS) steps"
	OMP_NUM_THREADS=1 OFFLINE_ENVS_KILLS=$(KILLS) OFFLINE_ENVS_MUTATIONS=$(MUTATIONS) \
		OFFLINE_ENVS_LONG_RUN=$(STEPS) $(BIN)/pytest -q -s \
		tests/test_kills.py tests/test_mutations.py tests/runs/resuming tests/envs/test_long_run.py

lint: $(STAMP)
	@echo "==> Checking style and format"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# offline_envs/tasks and offline_envs/wrappers are links to the top-level folders, so that type checkers and
# editors follow imports in a checkout.
types: $(STAMP)
	@echo "==> Checking types of the package, its tests, examples and benchmarks"
	$(BIN)/mypy offline_envs tests examples benchmarks docs/site

docs: $(STAMP)
	@echo "==> Building the site into build/site"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

dist: $(STAMP)
	@echo "==> Building the source archive and the wheel into build/dist, and checking them"
	rm -rf build/dist
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[release]'
	$(BIN)/python -m build --outdir build/dist .
	$(BIN)/twine check --strict build/dist/*

# Real packages at their current versions, each in an environment of its own below .ecosystem: minutes of installing the
# first time, and several GB. ONLY="rllib skrl" runs some.
ONLY ?=
ecosystem: $(STAMP)
	@echo "==> Running examples/integrations with the packages that they are for"
	OMP_NUM_THREADS=1 $(BIN)/python examples/integrations/run.py $(ONLY)

# build/ goes first: setuptools would put files that were deleted since the last build into the new wheel.
wheel: $(STAMP)
	@echo "==> Building the wheel and installing it into build/checked"
	rm -rf build
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(BIN)/python -m pip install --quiet --no-deps --target $(CHECKED) build/wheel/*.whl

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with its venv module is needed; set PYTHON=..."; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		echo "==> Creating $(VENV) with $(PYTHON)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "==> Installing offline-envs and what it needs into $(VENV) (a few minutes the first time)"
	PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
		$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	@touch $@

# `runs/` stays: it holds results.
clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Figures need a machine that does nothing else; see benchmarks/README.md.
.PHONY: benchmark
benchmark: $(STAMP)
	@echo "==> Running all benchmarks into benchmarks.md"
	$(BIN)/python benchmarks/all.py --output benchmarks.md $(BENCHMARK_ARGS)

# Ratios of speeds, not seconds: it may run beside other programs.
.PHONY: guard
guard: $(STAMP)
	@echo "==> Comparing ratios of speeds with their bounds"
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/guard.py $(GUARD_ARGS)
