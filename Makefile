# firesat: two commands on a fresh machine, `make demo` and `make test`. Each sets itself up.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-sandbox test-real test-story test-all check format bench docs clean

# A shim named uv may exist without working (pyenv), so ask it for its version.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .uv/bin/uv)
RUN := .venv/bin/python -m
# Importing torch from bytecode takes 3 s, from source 25 s.
unexport PYTHONDONTWRITEBYTECODE
export OMP_NUM_THREADS ?= 2
PYTEST := $(RUN) pytest
TWO := -n 2 --dist loadfile

help:  ## say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet uv

.venv/.ready: pyproject.toml constraints.txt $(filter .uv/bin/uv,$(UV))
	$(UV) venv --quiet --allow-existing --python "$$(cat .python-version)" .venv
	$(UV) pip install --quiet --compile-bytecode --python .venv/bin/python --constraint constraints.txt \
	    --editable '.[pipeline,s3,hpc,notebook,test,dev,bench]'
	@touch $@

setup: .venv/.ready  ## make .venv with the tested versions (about 6 GB, most of it PyTorch)

demo: setup  ## the whole job once, on the sandbox: scenes to a probability GeoTIFF (about 10 minutes)
	.venv/bin/firesat run demo

# Budgets on 2 cores; a group that takes three times its budget is stopped.
test: test-unit test-sandbox test-real test-story  ## all tests of the ordinary run (15 minutes on a quiet machine)

test-unit: setup  ## pure modules, jobs on tiny cubes, networks, products (7 minutes)
	timeout 1300 $(PYTEST) $(TWO) tests --ignore=tests/sandbox --ignore=tests/sources \
	    --ignore=tests/real --ignore=tests/story -m "not exhaustive" \
	    --cov=firesat.grid --cov=firesat.window --cov=firesat.cube --cov=firesat.manifest \
	    --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

test-sandbox: setup  ## the made world, its servers, the real clients against them (3 minutes)
	timeout 600 $(PYTEST) $(TWO) tests/sandbox tests/sources -m "not exhaustive"

test-real: setup  ## real public files, where they are (2 minutes)
	timeout 360 $(PYTEST) $(TWO) tests/real -m "not exhaustive"

test-story: setup  ## the whole job, Snakemake, the notebook, the README's commands (5 minutes)
	timeout 900 $(PYTEST) tests/story -m "not exhaustive"

test-all: setup  ## everything, with the exhaustive runs
	$(PYTEST) tests

check: setup  ## style, types, floors, docstrings, spelling
	.venv/bin/ruff format --check firesat models tests benchmarks
	.venv/bin/ruff check firesat models tests benchmarks
	$(RUN) mypy
	.venv/bin/lint-imports
	$(RUN) numpydoc.hooks.validate_docstrings $$(git ls-files 'firesat/*.py' 'models/*.py')
	.venv/bin/codespell firesat models tests docs configs pipelines README.md CONTRIBUTING.md CHANGELOG.md

format: setup  ## put the code into the house's form
	.venv/bin/ruff format firesat models tests benchmarks
	.venv/bin/ruff check --fix firesat models tests benchmarks

bench: setup  ## speed beside the peers, as ratios of one run
	$(RUN) benchmarks.run

docs: setup  ## write docs/commands.md from what every --help says
	$(RUN) firesat.cli.reference docs/commands.md

clean:  ## remove what the demo and the tests made
	rm -rf out .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
