# Everything runs in .venv, made by .ci/environment where it is missing or requirements changed.
PORT ?= 7860
ARGS ?=

.PHONY: demo test test-fast bench-labels screenshot lint format
demo: .venv/app.stamp
	.venv/bin/python app.py --port $(PORT) $(ARGS)

test: .venv/dev.stamp
	.ci/browser
	.venv/bin/python -m pytest $(ARGS)

test-fast: .venv/dev.stamp
	.venv/bin/python -m pytest -m "not slow and not browser" $(ARGS)

bench-labels: .venv/dev.stamp
	PYTHONPATH=. .venv/bin/python tests/bench_labels.py $(ARGS)

screenshot: .venv/dev.stamp
	.ci/browser
	.venv/bin/python tests/browser/screenshot.py $(ARGS)

lint: .venv/dev.stamp
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

format: .venv/dev.stamp
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

.venv/app.stamp: requirements.txt pyproject.toml
	.ci/environment requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt requirements.txt pyproject.toml
	.ci/environment requirements-dev.txt
	@touch $@ .venv/app.stamp
