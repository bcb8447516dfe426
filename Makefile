# `make demo` runs the whole study on simulated scenes; `make test` runs every check.
# Both make .venv from the lock first. PYTHON may name another interpreter, 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test bench docs format mutants lock clean

demo: $(VENV)/.installed
	$(BIN)/python -m glsweep.run

# Three at once on two cores: every now and then one waits for Ray. In a fresh clone mypy takes half a minute of
# one core: it fills its cache beside the tests, and the mypy that speaks takes a second.
test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy > /dev/null 2>&1 & $(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder
	$(BIN)/mypy

# Aimed at, found, and last found, of what a quarter of an hour can measure; see benchmarks/RESULTS.md.
bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/all.py

# The site, in site/; a link that leads nowhere is an error. The variable hushes a note on MkDocs 2.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Faults planted one at a time, each of which a test must notice; some hours, and goes on where it was cut off.
# A loop that a fault leaves without an end must not eat all memory.
mutants: $(VENV)/.installed-mutants
	ulimit -v 16000000; OMP_NUM_THREADS=1 $(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results

# torch's local build tag and its CUDA packages stay out of the lock: pip finds what fits the machine.
COMPILE := $(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links \
  --no-emit-trusted-host --no-emit-options
lock: $(VENV)/.installed-dev
	$(COMPILE) --output-file requirements.lock pyproject.toml requirements.in
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements.lock
	$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml requirements.in
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements-dev.lock
	$(COMPILE) --extra docs --constraint requirements-dev.lock --output-file requirements-docs.lock pyproject.toml requirements.in
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements-docs.lock
	$(COMPILE) --extra cluster --constraint requirements.lock --output-file requirements-cluster.lock pyproject.toml requirements.in
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements-cluster.lock

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Half of the time went to compiling, for which pip takes one core. What some packages ship for other
# versions of Python does not compile.
$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --requirement requirements.lock
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.lock
	touch $@

$(VENV)/.installed-docs: requirements-docs.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --requirement requirements-docs.lock
	touch $@

$(VENV)/.installed-mutants: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --constraint requirements-dev.lock --editable '.[mutants]'
	touch $@

clean:
	rm -rf $(VENV) build dist mutants site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
