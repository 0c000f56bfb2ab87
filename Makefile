# The whole interface for people who work on Zhixun. `make` alone lists the targets.
# ARGS goes to the program behind a target: make demo ARGS="--for 60s", make test ARGS="-k datum".

BIN := .venv/bin
ARGS ?=
# One more than there are processors, for tests wait for servers, pages and clocks half of the
# time; in the order of files, which begins with the longest, and not by the number of tests.
TESTERS := $(shell expr $$(nproc) + 1)
PYTHON ?=
export PYTHON

.PHONY: help demo test faults fuzz check audit format bench bench-growth pictures shots constraints setup dev system clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.runtime ## the whole system with simulated bikes, in a browser
	@$(BIN)/patrol demo $(ARGS)

test: setup ## all tests, side by side
ifeq ($(ARGS),)
	@$(BIN)/pytest --numprocesses=$(TESTERS) --maxprocesses=4 --dist=loadfile \
		--no-loadscope-reorder
else
	@$(BIN)/pytest $(ARGS)
endif

faults: setup ## 100 seeded runs through kills, cut wires, full disks and wrong clocks
	@CHAOS_SEEDS=100 $(BIN)/pytest --numprocesses=2 tests/faults $(ARGS)

fuzz: setup ## a million made-up inputs at every edge; make fuzz ARGS="--inputs 10000000"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[fuzz]'
	@$(BIN)/python -m tests.fuzz $(ARGS)

check: dev node_modules/.installed ## format, lint, types, layers, scripts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@npm run --silent check

audit: dev ## a bill of materials, and known vulnerabilities of what is in it
	@.ci/audit

format: dev ## put the code into its format, and mend what can be mended safely
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: dev ## short benchmarks, against a saved run; make bench ARGS="--save", ARGS="stores"
	@$(BIN)/python -m benchmarks $(ARGS)

bench-growth: dev ## the curves of docs/performance.md, which take some minutes
	@$(BIN)/python -m benchmarks.growth

pictures: setup ## the README's pictures, from a running demo
	@$(BIN)/python -m tests.browser.pictures

shots: setup ## every page in every width, language and theme, with sheets, in out/shots/
	@$(BIN)/python -m tests.browser.shots $(ARGS)

constraints: ## choose the newest versions and pin them in constraints.txt
	@.ci/constraints

setup: dev system node_modules/.installed ## everything that development needs; instant the second time

dev: .venv/.dev

system:
	@.ci/setup system

clean: ## remove what the other targets made, but not data
	@rm -rf .venv node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist

node_modules/.installed: package.json
	@.ci/setup node

.venv/.runtime: pyproject.toml constraints.txt
	@.ci/setup runtime

.venv/.dev: pyproject.toml constraints.txt
	@.ci/setup dev
