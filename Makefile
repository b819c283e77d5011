# moodal: `make` alone lists the targets.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
LIGHT  := $(VENV)-light

# the folder of real corpora, also for the tests, which skip without it
MOODAL_DATA ?= ../shared/data

.DEFAULT_GOAL := help
.PHONY: help browser container quickstart first-training artefact encoder test lint types tests docs notebooks dist benchmark clean

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

test: $(READY) lint types container tests  ## everything that must pass: ruff, import-linter, mypy, the container's steps, pytest with doctests

lint: $(READY)  ## style, and the one direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)  ## mypy on the package
	$(BIN)/mypy

# as root on Debian its own, else Playwright's; without either the tests of pages are skipped
INSTALL_CHROMIUM := DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium

browser: $(READY)  ## Chromium, for the tests of pages (where it can be had)
	@command -v chromium chromium-browser google-chrome > /dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null \
	       && { $(INSTALL_CHROMIUM) || { apt-get -qq update && $(INSTALL_CHROMIUM); }; } > /dev/null 2>&1; } \
	  || $(BIN)/python -m playwright install chromium > /dev/null 2>&1 \
	  || echo "There is no Chromium here, and it cannot be installed: the tests of pages are skipped."

tests: $(READY) browser  ## pytest with the doctests
	$(BIN)/python -m pytest -n 2 --dist loadfile

container:  ## what the container holds, installed into an empty environment and asked (Linux)
	@[ "$$(uname)" != Linux ] || PYTHON=$(PYTHON) sh container/try.sh

docs: $(READY)  ## the guide as a site, in site/ (strict: a link to nowhere stops it)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --site-dir site
	@echo "Open site/index.html."

notebooks: $(READY)  ## run the tutorials of docs/notebooks, and save them with their outputs (about ten minutes)
	$(BIN)/python tools/notebooks.py

# the wheel is installed in an environment of its own, and answers from there
dist: $(READY)  ## wheel and sdist in dist/, installed and tried
	rm -rf dist build moodal.egg-info
	$(BIN)/python -m build
	rm -rf build
	rm -rf dist/try && $(PYTHON) -m venv dist/try
	dist/try/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd dist && try/bin/moodal inspect default && try/bin/moodal predict --text "Thank you so much!"
	rm -rf dist/try

benchmark: $(READY)  ## an epoch of EEA at MOSEI's size against a plain loop (about ten minutes)
	$(BIN)/python benchmarks/epoch.py

clean:  ## remove the environment and caches (not data/ or runs/)
	rm -rf $(VENV) $(LIGHT) build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
