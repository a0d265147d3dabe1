# fastdl: `make demo` trains a network, `make test` proves the kernels.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KERNELS := $(wildcard csrc/* fastdl/kernels/*.pyx fastdl/kernels/*.pxd)
ARGS ?=
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help demo test soak bench lint format wheel clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/installed $(VENV)/built ## Train a ConvNet on real handwriting; ARGS="--epochs 2" shortens it.
	$(BIN)/fastdl train digits --out runs/digits $(ARGS)

test: $(VENV)/installed $(VENV)/built ## Run the whole test suite.
	$(BIN)/python -m pytest -m "not soak" $(ARGS)

soak: $(VENV)/installed $(VENV)/built ## Run the long forms of the tests too.
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/installed $(VENV)/built ## Measure everything; write docs/benchmarks.md.
	$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/installed $(VENV)/built ## Check style and types.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/cython-lint fastdl/kernels
	$(BIN)/clang-format --dry-run -Werror csrc/*.c csrc/*.h

format: $(VENV)/installed $(VENV)/built ## Let the tools decide about white space.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i csrc/*.c csrc/*.h

wheel: $(VENV)/installed $(VENV)/built ## Build the wheel into dist/.
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## Remove builds and the environment; results in runs/ stay.
	rm -rf build dist *.egg-info $(VENV) fastdl/kernels/*.so fastdl/kernels/*.c

# What builds the kernels ...
$(VENV)/tools:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools cython numpy
	@touch $@

# ... the kernels, beside their sources ...
$(VENV)/built: $(VENV)/tools setup.py $(KERNELS)
	$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

# ... and the package, installed from this folder with all that it needs.
$(VENV)/installed: pyproject.toml | $(VENV)/built
	$(BIN)/python -m pip install --quiet --no-build-isolation \
		--check-build-dependencies --editable ".[plot,image,dev]"
	@touch $@
