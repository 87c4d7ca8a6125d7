# run · test · test-gpu · sweep · bench · lint. Each is enough on a fresh machine; .ci/environment.py builds the environment.
#   make run PORT=8501 HOST=127.0.0.1 HEADLESS=1      (HEADLESS=1: open no browser)

PORT ?= 8501
HOST ?= 127.0.0.1
HEADLESS ?=
ARGS ?=

VENV := .venv/bin/python
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3 python $(VENV); do \
	if $$p -c '$(FITS)' >/dev/null 2>&1; then echo $$p; break; fi; done)
ENVIRONMENT := $(if $(PYTHON),$(PYTHON) .ci/environment.py,@echo "Lookback: Python 3.11, 3.12 or 3.13 is needed and was not found; install one and run make again." >&2; exit 1;)
# Slow files (those that drive a browser) come early, so that no process waits for the other at the end.
# Torch's threads spin against each other on busy cores; the tests run two processes with one thread each.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false

.PHONY: run test test-gpu sweep bench lint

# Without a display there is no browser to open.
run:
	@$(ENVIRONMENT) run
	@exec $(VENV) -m streamlit run app.py --server.port "$(PORT)" --server.address "$(HOST)" \
		--server.showEmailPrompt false --browser.gatherUsageStats false \
		$(if $(filter 1 true yes,$(HEADLESS)),--server.headless true)

# ARGS goes to pytest: make test ARGS="tests/engine -k mask". Who touched neither weights nor data may leave out what counts and
# measures them again, about a minute: make test ARGS="-m 'not assets'"
test:
	@$(ENVIRONMENT) test
	@$(ONE_THREAD) $(VENV) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-gpu:
	@$(ENVIRONMENT) test
	@$(VENV) -c 'import sys, torch; sys.exit(0 if torch.cuda.is_available() else "Lookback: torch sees no CUDA device here, so there is nothing to test on it.")'
	@$(VENV) -m pytest tests/gpu $(ARGS)

# Every family that transformers can build small, beside its own code: about ten minutes. make sweep ARGS="bert llama": those alone
sweep:
	@$(ENVIRONMENT) test
	@$(ONE_THREAD) $(VENV) -m tests.sweep $(ARGS)

# make bench ARGS=gpu: what looking costs on a GPU, alone
bench:
	@$(ENVIRONMENT) bench
	@$(VENV) -m tests.bench $(ARGS)

lint:
	@$(ENVIRONMENT) test
	@$(VENV) -m ruff check .
	@.venv/bin/oxlint assets/components
	@$(VENV) -m mypy
