# make book    rerun every chapter and build the book        make help   all targets and options
# Everything is made below .venv, .cache, data and _build; the work tree stays clean.

PYTHON  ?= python3
SCALE   ?= laptop
LIBRARY ?= open
DATA    ?=
DEVICE  ?= auto
SEED    ?= 0
THREADS ?= 2
PORT    ?= 8000
TESTS   ?=
CHAPTERS ?=

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready
UV    := uv==0.13.8
# shells, kernels and tests see the same numbers of threads, so that sums are taken in the same order
export OMP_NUM_THREADS := $(THREADS)
export MKL_NUM_THREADS := $(THREADS)
export OPENBLAS_NUM_THREADS := $(THREADS)
# a thread that waits sleeps: one that spins is ten times as slow beside other work
export OMP_WAIT_POLICY := PASSIVE
# modules are compiled once, not in every process
unexport PYTHONDONTWRITEBYTECODE
# freed memory stays for the next batch, instead of going back to the system to be zeroed again
export MALLOC_MMAP_THRESHOLD_ := 1073741824
export MALLOC_TRIM_THRESHOLD_ := 268435456
export MALLOC_TOP_PAD_ := 67108864

BUILD := $(BIN)/python notebooks/build.py --scale $(SCALE) --library $(LIBRARY) --device $(DEVICE) \
         --seed $(SEED) $(if $(DATA),--mirror $(DATA))

.PHONY: book lint test serve results setup lock clean help
.DEFAULT_GOAL := help

book: $(READY)  ## rerun what changed, build the book strictly, say where it is
	@$(BUILD)

lint: $(READY)  ## run the quick checks: style, form of notebooks, imports, types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --exclude "*.ipynb" .
	@$(BIN)/python .ci/lint_notebooks.py
	@$(BIN)/lint-imports
	@$(BIN)/mypy

test: $(READY)  ## run the tests; TESTS="-m 'not slow'" or any other pytest options
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(THREADS) --dist loadfile $(TESTS)

serve: $(READY)  ## show the built book on this machine only, port $(PORT)
	@$(BIN)/python notebooks/build.py --scale $(SCALE) --library $(LIBRARY) --serve $(PORT)

results: $(READY)  ## rerun what changed, keep its tables in book/results; LIBRARY=real CHAPTERS="09 11"
	@$(BUILD) --keep $(if $(CHAPTERS),--chapters $(CHAPTERS))

setup: $(READY)  ## only make $(VENV)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; ok = (3, 10) <= sys.version_info[:2] <= (3, 13); sys.exit(0 if ok else \
	  f"Python 3.10 to 3.13 is needed, got {sys.version.split()[0]}: make PYTHON=python3.11 ...")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "making $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "installing requirements.lock into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	@# uv does not read pip's configuration, so the two settings that decide whether it gets through are handed on
	@index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/pip config get global.index-url 2>/dev/null || true)}}; \
	  cert=$${SSL_CERT_FILE:-$${PIP_CERT:-$$($(BIN)/pip config get global.cert 2>/dev/null || true)}}; \
	  if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
	  if [ -n "$$cert" ]; then export SSL_CERT_FILE="$$cert"; fi; \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

lock: $(READY)  ## resolve requirements.lock and environment.yml again from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.10 --upgrade \
	  --quiet --no-header --no-annotate -o requirements.lock
	@$(BIN)/python .ci/environment.py

clean:  ## remove what was built; downloaded data and $(VENV) stay
	rm -rf _build .cache

help:
	@echo "make TARGET [OPTION=...]"; echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | sed 's/\$$(VENV)/$(VENV)/; s/\$$(PORT)/$(PORT)/' | \
	  awk -F'|' '{printf "%-10s %s\n", $$1, $$2}'
	@echo; echo "options (value now)"
	@echo "  SCALE=$(SCALE)        smoke: seconds a chapter; laptop: minutes; paper: hours, on a GPU"
	@echo "  LIBRARY=$(LIBRARY)      open: the photographs that come with the package; worlds: drawn; real: photographs below data/;"
	@echo "                    paper: the paper's own data sets below DATA, or data/"
	@echo "  DATA=$(DATA)             a folder with archives/ and weights/ to take photographs and weights from"
	@echo "  DEVICE=$(DEVICE)       auto, cpu or cuda"
	@echo "  SEED=$(SEED) THREADS=$(THREADS) PORT=$(PORT) PYTHON=$(PYTHON)"
