# Two commands on a fresh Debian or Raspberry Pi OS, and nothing before them: `make demo` and `make test`.
.PHONY: setup demo test lint types layers pytest rows lock lane-page bench

BIN := .venv/bin
ROOMS := contract delivery config devices edge hub broker handheld firmware_sim instore bench simulation doctor

# What is compiled once is kept, whatever the surroundings say: else each of some hundred programs of a test run compiles all anew.
export PYTHONDONTWRITEBYTECODE :=

setup:            ## make .venv, install what is missing
	@scripts/setup.sh

demo: setup       ## a whole store with simulated hardware, to watch
	@$(BIN)/instore demo

test: setup lint types layers pytest

lint:
	@$(BIN)/ruff check $(ROOMS) tests && $(BIN)/ruff format --check -q $(ROOMS) tests

types:
	@$(BIN)/mypy

layers:
	@$(BIN)/lint-imports

# Whole stores run against real clocks here, so what fails beside other tests is run again by itself, at most twice.
# Two more workers than processors: many tests wait for programs, and there is always one that does not.
WORKERS := $(shell echo $$(($$(nproc) + 2)))
AGAIN := $(BIN)/pytest -q --last-failed --last-failed-no-failures none
pytest:
	@$(BIN)/pytest -q -n $(WORKERS) --dist worksteal || \
	  { echo "--- what failed runs again by itself: its programs may have had too little of the processors"; $(AGAIN); } || \
	  { echo "--- and a last time; what fails now is broken"; $(AGAIN); }

rows: setup       ## every row of the mission with its tests, passed and failed
	@$(BIN)/python scripts/rows.py

bench: setup      ## the figures of docs/performance.md
	@$(BIN)/instore bench latency && $(BIN)/instore bench throughput

lane-page:        ## the diagram and the table of docs/lane.md anew, from the code
	@$(BIN)/python -m tests.edge.lane_table

lock:             ## write requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header -q -o requirements.lock
