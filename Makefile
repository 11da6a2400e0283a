# make demo   the main job on a real model        make test   what pip alone can serve (STAGES= some of it)
# make lint   ruff and mypy --strict              make unit   a minute of it: no process, no engine
# make bench  ratios against peers                make test-tools   what apt brings too
# make sanitize   the C++ core under sanitizers   make tidy   the same sources through clang-tidy
# make clean      remove what make made (not the cache)
#
# Needs Python 3.11 or later, make and git. pip is used as you configured it.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
PYTEST := $(BIN)/python -m pytest
# Two at a time, files kept whole, in their order: tests that share a slow fixture lie in one file, and files of few long
# tests would be the last where those of many go first. WORKERS= runs them one by one.
WORKERS ?= -n 2 --dist loadfile --no-loadscope-reorder
# tests/stages.py: what each is. One folder has all of unit, so no engine is imported to look for them elsewhere.
STAGES ?= unit runtimes olive
# The demo keeps what it makes where `edgekit` will look for it afterwards: the user's cache, unless the user names one.
DEMO := $(if $(EDGEKIT_CACHE),,env -u EDGEKIT_CACHE)
export EDGEKIT_CACHE ?= $(CURDIR)/.cache

.PHONY: env demo demo-env test unit test-tools apt-tools lint
.PHONY: nightly nightly-quality nightly-bench nightly-models nightly-faces nightly-calls nightly-fuzz
.PHONY: nightly-faults nightly-kill nightly-mutants
.PHONY: names schemas docs golden golden-manifests mutants artifacts bench clean

env: $(STAMPS)/env

$(STAMPS)/env: pyproject.toml constraints.txt scripts/make_env.sh
	@mkdir -p $(STAMPS)
	bash scripts/make_env.sh "$(PYTHON)" $(VENV) build,lint,test,plugins
	@touch $@

# What builds and runs bundles: no tests, no compilers. `make env` adds those in the same place.
$(STAMPS)/demo: pyproject.toml constraints.txt scripts/make_env.sh
	@mkdir -p $(STAMPS)
	bash scripts/make_env.sh "$(PYTHON)" $(VENV) build
	@touch $@

demo-env:
	@[ -e $(STAMPS)/env ] || $(MAKE) --no-print-directory $(STAMPS)/demo

demo:
	@"$(PYTHON)" scripts/demo.py announce
	@$(MAKE) --no-print-directory demo-env
	@$(DEMO) $(BIN)/python scripts/demo.py run

test: env
	$(PYTEST) $(if $(filter-out unit,$(STAGES)),,tests/unit) $(STAGES:%=--stage %) $(WORKERS) $(PYTEST_ARGS)

unit:
	@$(MAKE) --no-print-directory test STAGES=unit

test-tools: env apt-tools
	$(PYTEST) --stage tools $(WORKERS) $(PYTEST_ARGS)

# What is too long for every change. Each writes its row into tests/nightly/RESULTS.md, from a clean checkout.
nightly: nightly-quality nightly-bench nightly-models nightly-faces nightly-calls nightly-fuzz nightly-faults nightly-kill nightly-mutants nightly-tidy

RECORD := $(BIN)/python -m tests.nightly.record

nightly-quality: env
	$(RECORD) nightly-quality $(PYTEST) --stage nightly tests/nightly/test_quality.py $(PYTEST_ARGS)

nightly-bench: env
	$(RECORD) nightly-bench $(PYTEST) tests/bench $(PYTEST_ARGS)

nightly-models: env
	$(RECORD) nightly-models $(PYTEST) --stage nightly tests/e2e tests/olive $(PYTEST_ARGS)

nightly-faces: env
	$(RECORD) nightly-faces $(PYTEST) --stage nightly tests/engines tests/device $(PYTEST_ARGS)

nightly-calls: env
	$(RECORD) nightly-calls $(PYTEST) --stage nightly tests/nightly/test_function_calls.py $(PYTEST_ARGS)

nightly-fuzz: env
	$(RECORD) nightly-fuzz env EDGEKIT_FUZZ_SECONDS=600 $(PYTEST) tests/fuzz tests/engines/wrappers/cpp/test_fuzz.py $(PYTEST_ARGS)

nightly-faults: env
	$(RECORD) nightly-faults env EDGEKIT_NIGHTLY=1 $(PYTEST) tests/e2e/test_faults.py tests/kill/test_replaced.py

nightly-kill: env
	$(RECORD) nightly-kill env EDGEKIT_KILLS=100 $(PYTEST) tests/kill/test_kill.py tests/kill/test_project_killed.py

nightly-mutants: env
	$(RECORD) nightly-mutants $(BIN)/python -m tests.mutants

nightly-tidy: env
	$(RECORD) nightly-tidy $(BIN)/python scripts/tidy.py

.PHONY: sanitize tidy nightly-tidy
tidy: env apt-tools
	$(BIN)/python scripts/tidy.py

sanitize: env apt-tools
	$(BIN)/python scripts/sanitize.py $(WORKERS) $(PYTEST_ARGS)

artifacts: env
	$(BIN)/python scripts/artifacts.py

# Swift's compiler is in the next Debian alone, and comes from there into a folder of the cache, once.
apt-tools: env
	@bash scripts/apt_tools.sh
	@$(BIN)/python -m tests.peers.swift_root || [ "$$CI" != true ]

lint: env
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Write the golden files of tests/golden/ anew, on purpose: the diff is what is reviewed.
golden: env
	$(BIN)/python -m tests.golden

# The same, and those that need a build of every target (minutes).
golden-manifests: env
	$(BIN)/python -m tests.golden manifests

# Break one line at a time of what judges and keeps (tests/mutants.toml): make unit must notice each.
mutants: env
	$(BIN)/python -m tests.mutants

# Write tests/names.json anew: how often each file says `one`, `found` ...; the numbers only fall.
names: env
	$(BIN)/python -m tests.names

schemas: env
	$(BIN)/python -c "from edgekit import schemas; schemas.write()"

docs: env
	$(BIN)/python docs/tables.py
	$(BIN)/python docs/targets/tables.py

bench: env
	$(BIN)/python benchmarks/help_cost.py
	$(BIN)/python benchmarks/rebuild.py
	$(BIN)/python benchmarks/project.py
	$(BIN)/python benchmarks/store_s3.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/check_overhead.py
	$(BIN)/python benchmarks/conversation.py
	$(BIN)/python benchmarks/core_overhead.py
	$(BIN)/python benchmarks/hashing.py
	$(BIN)/python benchmarks/ab.py
	$(BIN)/python benchmarks/targets.py
	$(BIN)/python benchmarks/gate_cost.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/first_minutes.py

clean:
	rm -rf $(VENV) $(STAMPS) dist out
