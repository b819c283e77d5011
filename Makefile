# moodal: `make` alone lists the targets.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
LIGHT  := $(VENV)-light

# the folder of real corpora, also for the tests, which skip without it
MOODAL_DATA ?= ../shared/data

.DEFAULT_GOAL := help
.PHONY: help quickstart first-training artefact encoder test lint types tests benchmark clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 18

# quiet: setuptools warns of the folder moodal, which is what an editable installation uses
EDITABLE := PYTHONWARNINGS=ignore

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(EDITABLE) $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

$(LIGHT)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(LIGHT)
	$(LIGHT)/bin/python -m pip install --quiet --upgrade pip
	$(EDITABLE) $(LIGHT)/bin/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $(LIGHT)/.ready

quickstart: $(LIGHT)/.ready  ## install (without PyTorch) and predict the example clip
	$(LIGHT)/bin/moodal predict examples/clip.mp4 --plot runs/clip.png
	@echo "runs/clip.png is the same as a picture. Activate $(LIGHT) and try a recording of your own;"
	@echo "docs/predict.md says what else there is, docs/first-training.md how to train."

first-training: $(READY)  ## install, train EEA on a look-alike of MOSEI, test it on an emotion it never saw
	rm -rf data/quickstart runs/quickstart
	$(BIN)/moodal synthesise mosei data/quickstart/mosei --utterances 1500 --seed 1
	$(BIN)/moodal prepare mosei data/quickstart/mosei data/quickstart/prepared
	$(BIN)/moodal train recipes/quickstart.toml --out runs/quickstart
	$(BIN)/moodal inspect runs/quickstart/artefact
	@echo "Read runs/quickstart/report.md, look at runs/quickstart/figures/, then go on with docs/README.md."

artefact: $(READY)  ## make the artefact of the package from the corpora in MOODAL_DATA (hours; resumes after a stop)
	OMP_NUM_THREADS=1 $(BIN)/moodal compose recipes/artefact/default.toml --data $(MOODAL_DATA) --work runs/artefact --out moodal/model/default

encoder: $(READY)  ## write the encoder e5 of the package anew (what was trained on it has to be trained again)
	$(BIN)/python -m moodal.train.export.sentence_encoder $(MOODAL_DATA)

test: $(READY) lint types tests  ## everything that must pass: ruff, import-linter, mypy, pytest with doctests

lint: $(READY)  ## style, and the one direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)  ## mypy on the package
	$(BIN)/mypy

tests: $(READY)  ## pytest with the doctests
	$(BIN)/python -m pytest -n 2 --dist loadfile

benchmark: $(READY)  ## an epoch of EEA at MOSEI's size against a plain loop (about ten minutes)
	$(BIN)/python benchmarks/epoch.py

clean:  ## remove the environment and caches (not data/ or runs/)
	rm -rf $(VENV) $(LIGHT) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
