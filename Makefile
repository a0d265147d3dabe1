# fastdl: `make demo` trains a network, `make test` proves the kernels.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KERNELS := $(wildcard csrc/* $(addprefix fastdl/kernels/, *.pyx *.pxd */*.pyx */*.pxd)) \
	fastdl/shapes/activations.py
C := $(wildcard csrc/*.[ch] tests/csrc/*.[ch])
ARGS ?=
NUMPY ?=
comma := ,
PARALLEL ?= -n auto --dist worksteal
export PATH := $(abspath $(BIN)):$(PATH)
# Hundreds of processes start in the tests: compiled modules halve the time of each.
export PYTHONDONTWRITEBYTECODE :=
# Processes side by side share the cores: a thread with nothing to do must not wait awake.
test soak coverage: export OMP_WAIT_POLICY ?= passive
ifdef SYSROOT # of an older system, from whose C library on the wheel then runs
dist: export CC := cc --sysroot=$(abspath $(SYSROOT))
dist: export LDFLAGS := $(foreach folder, \
	$(dir $(wildcard $(abspath $(SYSROOT))/usr/lib/*/libgomp.so)), \
	-L$(folder) -Wl$(comma)-rpath$(comma)$(folder))
endif

.PHONY: help demo test soak sanitize coverage mutants bench docs lint format dist wheel clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/installed ## Train a ConvNet on real handwriting; ARGS="--epochs 2" shortens it.
	$(BIN)/fastdl train digits --out runs/digits $(ARGS)

test: $(VENV)/tested ## Run the whole test suite.
	$(BIN)/python -m pytest -m "not soak" $(PARALLEL) $(ARGS)

soak: $(VENV)/tested ## Run the long forms of the tests too.
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

sanitize: $(VENV)/tested ## Run the tests of kernels under sanitizers; ARGS=--long: all tests.
	$(BIN)/python tests/sanitize.py $(PARALLEL) $(ARGS)

# Which test runs which line, in all processes: [tool.coverage] in pyproject.toml.
record = COVERAGE_FILE=$(CURDIR)/build/$1/data \
	COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml \
	$(BIN)/python -m pytest -m "not soak" -p tests.mutants.recorder $(PARALLEL)

coverage: $(VENV)/measured ## Print which lines the tests leave out, of Python and of C.
	rm -rf build/coverage
	$(call record,coverage)
	$(BIN)/coverage combine --quiet --data-file=build/coverage/data
	$(BIN)/coverage report --data-file=build/coverage/data --skip-covered --show-missing
	$(BIN)/python -m tests.mutants.gcov $(PARALLEL)

mutants: $(VENV)/measured build/map/seconds.json ## Do the tests find small faults?
	$(BIN)/python -m tests.mutants $(ARGS)

build/map/seconds.json:
	FASTDL_FEW=3 $(call record,map)

bench: $(VENV)/installed ## Measure everything, for half an hour; write docs/benchmarks.md.
	$(BIN)/python -m bench $(ARGS)

# After a build that did not end, Sphinx would leave out pages of the search.
docs: $(VENV)/documented ## Make the site, docs/_build/html/index.html; a warning is an error.
	@test -e docs/_build/whole || rm -rf docs/_build
	@rm -f docs/_build/whole
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html
	@touch docs/_build/whole

lint: $(VENV)/linted ## Check style and types.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/cython-lint fastdl/kernels
	$(BIN)/clang-format --dry-run -Werror $(C)
	$(BIN)/zizmor --offline --quiet --min-severity=medium .github

format: $(VENV)/linted ## Let the tools decide about white space.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(C)

dist: $(VENV)/packed ## Build the source distribution, and the wheel from it, into dist/.
	rm -rf dist
	$(BIN)/python setup.py --quiet sdist
	$(BIN)/python -m pip wheel --quiet --no-build-isolation --check-build-dependencies \
		--no-cache-dir --no-deps --wheel-dir dist dist/*.tar.gz
ifeq ($(shell uname), Linux) # the OpenMP library goes into the wheel
	$(BIN)/auditwheel repair --wheel-dir dist dist/*-linux_*.whl >dist/repair.log 2>&1 \
		|| { cat dist/repair.log; rm dist/*.whl; exit 1; }
	rm dist/*-linux_*.whl dist/repair.log
endif
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	@for wheel in dist/*.whl; do echo "$$wheel runs on systems at least as old as its" \
		"name says; SYSROOT=DIR builds for older ones (CONTRIBUTING.md)"; done

wheel: dist ## The same, and the whole test suite on the wheel; NUMPY=1.26 chooses one.
	PYTHON=$(PYTHON) NUMPY=$(NUMPY) .ci/test-wheel dist/*.whl

clean: ## Remove builds and the environment; results in runs/ stay.
	rm -rf build dist docs/_build docs/api/generated *.egg-info $(VENV) \
		$(wildcard $(addprefix fastdl/kernels/, *.so *.c */*.so */*.c))

# What builds the kernels ...
$(VENV)/tools:
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 10) and sys.exit( \
		"fastdl needs Python 3.10 or later; this is %s: try make PYTHON=python3.12" \
		% sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools cython numpy
	@touch $@

# ... the kernels, beside their sources (none for NumPy alone: look again next time) ...
$(VENV)/built: $(VENV)/tools setup.py $(KERNELS)
	$(BIN)/python setup.py --quiet build_ext --inplace
	@test "$$FASTDL_BACKEND" = reference || touch $@

# ... the package, installed from this folder with all that it uses (the kernels lie here
# already: pip would build all of them a second time, in a folder of its own) ...
$(VENV)/installed: pyproject.toml | $(VENV)/built
	FASTDL_BACKEND=reference $(BIN)/python -m pip install -qq --no-build-isolation \
		--check-build-dependencies --editable ".[plot,image,tune,onnx,tensorboard]"
	@touch $@

# ... and what only those need who change it.
$(VENV)/tested: pyproject.toml | $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group test
	@touch $@

$(VENV)/measured: pyproject.toml | $(VENV)/tested
	$(BIN)/python -m pip install --quiet --group mutants
	@touch $@

$(VENV)/documented: pyproject.toml | $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

$(VENV)/linted: pyproject.toml | $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group lint
	@touch $@

$(VENV)/packed: pyproject.toml | $(VENV)/tools
	$(BIN)/python -m pip install --quiet --group wheel
	@touch $@
