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

demo: $(VENV)/built ## Train a ConvNet on real handwriting; ARGS="--epochs 2" shortens it.
	$(BIN)/fastdl train digits --out runs/digits $(ARGS)

test: $(VENV)/built ## Run the whole test suite.
	$(BIN)/python -m pytest -n auto -m "not soak" $(ARGS)

soak: $(VENV)/built ## Run the long forms of the tests too.
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/built ## Time every kernel against its NumPy reference.
	$(BIN)/python -m pytest bench --benchmark-only $(ARGS)

lint: $(VENV)/built ## Check style and types.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/cython-lint fastdl/kernels
	$(BIN)/clang-format --dry-run -Werror csrc/*.c csrc/*.h

format: $(VENV)/built ## Let the tools decide about white space.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i csrc/*.c csrc/*.h

wheel: $(VENV)/built ## Build the wheel into dist/.
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## Remove builds and the environment; results in runs/ stay.
	rm -rf build dist *.egg-info $(VENV) fastdl/kernels/*.so fastdl/kernels/*.c

# The environment, with the package installed from this folder ...
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[plot,image,dev]"
	@touch $@

# ... and its kernels, built again when their sources change.
$(VENV)/built: $(VENV)/installed setup.py $(KERNELS)
	$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@
