# make demo     a page of an unseen patient at once; then phantoms -> three trained models -> predictions
# make models   a stripper, a segmenter and a classifier by the present recipes, packed; KAGGLE=DIR is the Kaggle set's folder Training
# make test     lint, the documentation and the whole test suite
# make cluster  sweeps in a Slurm of one node, which it starts; needs Debian's slurm-wlm and munge, and root
# make docs     the documentation site, in build/site
# make setup    the virtual environment, with pinned versions

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo models test cluster lint docs doctor clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

demo: setup
	$(BIN)/python -m brainseg demo

MODELS := outputs/models
KAGGLE_GROUPS := # a table of patients, as data.groups takes it
APACHE := --licence Apache-2.0
LEARNT_FROM := It has learnt from painted heads alone, so its licence is that of brainseg.

models: setup
	@test -d "$(KAGGLE)" || { echo "make models KAGGLE=DIR: DIR is the folder Training of the Kaggle set"; exit 2; }
	$(call trained,skullstripper,experiment=skullstripper_anycontrast,$(APACHE) --purpose "Cuts the brain out of \
	a T1w$(COMMA) T1ce$(COMMA) T2w or FLAIR scan of a whole head. $(LEARNT_FROM)")
	$(call trained,segmenter,experiment=segmenter_tumours,$(APACHE) --purpose "Outlines whole tumour$(COMMA) core \
	and enhancing tumour of gliomas in subsets of T1$(COMMA) T1ce$(COMMA) T2 and FLAIR that have FLAIR and one more. $(LEARNT_FROM)")
	$(call trained,classifier,experiment=classifier_best data.root="$(KAGGLE)" data.test_share=0 \
	$(if $(KAGGLE_GROUPS),data.groups="$(KAGGLE_GROUPS)"),--licence CC0-1.0 --data "the Brain Tumor MRI Dataset (Kaggle)" \
	--purpose "Names the tumour type in a picture of one slice$(COMMA) such as those of the Kaggle set. It is not \
	for volumes: the vote of 27 slices of a real scan is wrong.")

COMMA := ,
define trained
	@start=$$(date +%s) && $(BIN)/python train.py $(2) hydra.run.dir=$(MODELS)/$(1) overwrite=true \
	&& $(BIN)/brainseg pack $(MODELS)/$(1)/checkpoints/best.ckpt $(MODELS)/packed/$(1) $(3) \
	&& echo "$(1): $$(( $$(date +%s) - start )) seconds"
endef

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
