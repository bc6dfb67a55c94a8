# Everything runs in .venv, which is created by the first target that needs it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo train-demo test lint docs clean

# Runs released weights, then a short training; takes minutes.
demo: $(VENV)/installed
	$(BIN)/python tools/quick_demo.py

# Trains with and without sampling to full accuracy, and compares both.
train-demo: $(VENV)/installed
	$(BIN)/python tools/tempo_demo.py

# Each worker takes whole files, because the tests of a file share trainings.
test: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile \
		--no-loadscope-reorder --durations 10 tests mmatfr

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/installed
	$(BIN)/python -m sphinx -W --keep-going -b html -q docs build/docs

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v[:2] in ((3, 11), (3, 12)) or sys.exit("mmatfr is tested on Python 3.11 and 3.12, but $(PYTHON) is %d.%d; name another: make PYTHON=python3.11 ..." % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt torch mmcv-lite --editable '.[tests]'
	@touch $@

# Keeps data, trainings and results.
clean:
	rm -rf $(VENV) build
