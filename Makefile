# make demo, make test: all a new checkout needs; both set up .venv first. make test-all tries what takes minutes.
# the first Python that runs and can make a virtual environment
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
  $$p -c "import ensurepip, venv" 2>/dev/null && command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# durable-rules is built from source; from Python 3.13 on it needs one name that Python no longer has
export CPPFLAGS := $(CPPFLAGS) -DPyEval_CallObject=PyObject_CallObject

.PHONY: demo test test-all test-spark bench clean

demo: $(VENV)/run
	@rm -rf results
	@$(BIN)/evaluator demo daguan
	@echo
	@echo "The results lie in results/daguan-2020 and results/daguan-2021; rosters.xlsx there opens in Excel."

test: $(VENV)/dev
	$(BIN)/ruff check evaluator tests fixtures
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist worksteal

# what takes minutes: every subject of every place is explained, and random packs and data are tried more often
test-all: $(VENV)/dev
	EVALUATOR_ALL=1 $(BIN)/pytest -n 2 tests/test_places.py -k explanations
	EVALUATOR_ALL=1 $(BIN)/pytest -n 2 $(addprefix tests/test_, $(addsuffix .py, \
	  check compare derived explain impact lower properties prove random_packs recall score solve tables))

# every pack computed by Spark, and a cluster that loses a worker; needs Java 17 or later
test-spark: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,spark]'
	EVALUATOR_SPARK=1 $(BIN)/pytest -n 2 tests/test_spark.py

bench: $(VENV)/bench
	$(BIN)/python tests/bench/bench.py

clean:
	rm -rf $(VENV) results .pytest_cache .mypy_cache .ruff_cache

$(VENV)/run: pyproject.toml
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/dev: $(VENV)/run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

$(VENV)/bench: $(VENV)/dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@
