# Two commands on a bare machine (Python 3.11, make, git): `make run` and `make test`.
PYTHON ?= python3
CORES ?= all
ENV := .venv
READY := $(ENV)/.ready
SMK := $(ENV)/bin/snakemake

.PHONY: run test slurm canary setup lint studies bench schema lock clean help

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/'

run: $(READY)  ## set up and run the default study
	PATH="$(CURDIR)/$(ENV)/bin:$$PATH" $(SMK) --cores $(CORES)

test: $(READY)  ## set up and run the tests
	PATH="$(CURDIR)/$(ENV)/bin:$$PATH" $(ENV)/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slurm and not study and not bench"

slurm: $(READY)  ## a study on a Slurm cluster of this machine alone, against a local run; skips where Slurm is not installed
	PATH="$(CURDIR)/$(ENV)/bin:$$PATH" $(ENV)/bin/pytest -m slurm -rs

canary: $(READY)  ## proof that no balance method leaks: shuffled labels must give chance (results/canary/canary/canary.html)
	PATH="$(CURDIR)/$(ENV)/bin:$$PATH" $(SMK) canary --workflow-profile workflow/profiles/local --cores $(CORES) \
	  --configfile studies/canary.yaml

studies: $(READY)  ## the ready studies on the real sets in ../shared/data (long)
	PATH="$(CURDIR)/$(ENV)/bin:$$PATH" $(ENV)/bin/pytest -m study -s

bench: $(READY)  ## measurements against peers; NAME=epoch for one
	PATH="$(CURDIR)/$(ENV)/bin:$$PATH" $(ENV)/bin/pytest -m bench -s $(if $(NAME),-k $(NAME))

lint: $(READY)  ## ruff, snakefmt, snakemake --lint
	$(ENV)/bin/ruff check .
	$(ENV)/bin/ruff format --check .
	$(ENV)/bin/snakefmt --check -l 120 Snakefile workflow
	$(SMK) --lint

schema: $(READY)  ## the config's JSON schema and commented defaults, from the settings
	$(ENV)/bin/python -m asclepius schema

setup: $(READY)  ## only the environment

# A lock is complete, so --no-deps: pip installs exactly what stands there. The package itself comes last.
$(READY): envs/cpu.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Asclepius needs Python 3.11; say which: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(ENV)
	$(ENV)/bin/python -m pip install --quiet --require-hashes --no-deps -r envs/cpu.lock
	$(ENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

lock:  ## solve the environments anew (needs uv)
	for name in cpu gpu; do uv pip compile envs/$$name.in --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --python-platform x86_64-manylinux_2_28 --upgrade --output-file envs/$$name.lock; \
	  uv pip compile envs/alone.in --no-deps --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --quiet >> envs/$$name.lock; done

clean:  ## remove results and the environment
	rm -rf $(ENV) .snakemake results/*
