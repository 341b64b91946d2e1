# Two commands, each doing all its set-up inside this folder: `make demo` and `make test`.
# One thread for each process: two processes at torch's default threads on two cores are 100 times
# slower than with one thread each.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export HF_HUB_OFFLINE := 1
export MPLCONFIGDIR := $(CURDIR)/.venv/matplotlib
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test setup bench bench-demo bench-intervals bench-exactness bench-speed bench-prediction bench-sweep bench-surgery bench-zoo bench-census bench-mutation constraints

demo: .venv/ready
	$(BIN)/legatee demo

test: .venv/ready
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pytest -q -n 2

# Too long for a test, hours together; those that simulate settings or train go on when typed again.
bench: bench-exactness bench-speed bench-prediction bench-sweep bench-surgery bench-demo

bench-exactness: .venv/ready
	$(BIN)/python benchmarks/world_exactness.py

bench-speed: .venv/ready
	$(BIN)/python benchmarks/world_speed.py

bench-prediction: .venv/ready
	$(BIN)/python benchmarks/world_prediction.py

bench-sweep: .venv/ready
	$(BIN)/python benchmarks/sweep_speed.py

bench-surgery: .venv/ready
	$(BIN)/python benchmarks/surgery_cost.py

bench-demo: .venv/ready
	$(BIN)/python benchmarks/demo_verdicts.py

bench-intervals: .venv/ready
	$(BIN)/python benchmarks/interval_coverage.py

bench-zoo: .venv/ready
	$(BIN)/python benchmarks/surgery_zoo.py

bench-census: .venv/ready
	$(BIN)/python benchmarks/surgery_census.py

bench-mutation: .venv/ready
	$(BIN)/python benchmarks/mutation.py

setup: .venv/ready

# Made anew only when what it installs has changed; the package itself is installed as a link.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "legatee needs Python 3.11 or newer; say which: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-cache-dir --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --quiet --no-cache --python $(BIN)/python -c constraints.txt -e . --group dev
	touch $@

constraints: .venv/ready
	$(BIN)/uv pip compile --quiet --no-cache pyproject.toml --group dev --no-header --no-annotate -o constraints.txt
