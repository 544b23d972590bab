# make demo     phantoms -> three trained models -> predictions for patients that no model has seen
# make test     lint, the documentation and the whole test suite
# make cluster  sweeps in a Slurm of one node, which it starts; needs Debian's slurm-wlm and munge, and root
# make docs     the documentation site, in build/site
# make setup    the virtual environment, with pinned versions

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test cluster lint docs doctor clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

demo: setup
	$(BIN)/python -m brainseg demo

test: lint docs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

cluster: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -s -m cluster tests/cluster

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

doctor: setup
	$(BIN)/brainseg doctor

clean:
	rm -rf $(VENV) data/phantom data/cache
