# make demo   the main job on a real model        make test   what pip alone can serve
# make lint   ruff and mypy --strict              make test-tools   what apt brings too
# make bench  ratios against peers                make clean  remove what make made (not the cache)
#
# Needs Python 3.11 or later, make and git. pip is used as you configured it.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
PYTEST := $(BIN)/python -m pytest
# Two at a time, files kept whole: tests that share a slow fixture lie in one file. WORKERS= runs them one by one.
WORKERS ?= -n 2 --dist loadfile
export EDGEKIT_CACHE ?= $(CURDIR)/.cache

.PHONY: env demo test test-tools apt-tools lint schemas artifacts bench clean

env: $(STAMPS)/env

$(STAMPS)/env: pyproject.toml constraints.txt scripts/make_env.sh
	@mkdir -p $(STAMPS)
	bash scripts/make_env.sh "$(PYTHON)" $(VENV)
	@touch $@

demo:
	@"$(PYTHON)" scripts/demo.py announce
	@$(MAKE) --no-print-directory env
	@$(BIN)/python scripts/demo.py run

test: env
	$(PYTEST) -m "(unit or olive) and not tools" $(WORKERS) $(PYTEST_ARGS)

test-tools: env apt-tools
	$(PYTEST) -m "tools or device or cross" $(WORKERS) $(PYTEST_ARGS)

artifacts: env
	$(BIN)/python scripts/artifacts.py

apt-tools:
	@bash scripts/apt_tools.sh

lint: env
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

schemas: env
	$(BIN)/python -c "from edgekit import schemas; schemas.write()"

bench: env
	$(BIN)/python benchmarks/help_cost.py
	$(BIN)/python benchmarks/rebuild.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/check_overhead.py
	$(BIN)/python benchmarks/ab.py
	$(BIN)/python benchmarks/targets.py

clean:
	rm -rf $(VENV) $(STAMPS) dist out
