# make run    the page: creates .venv, installs, starts, prints the address
# make quick  what a change may break, in a minute: all tests but those that take long, start the app or drive a browser
# make test   everything CI checks: format, lint, types, all tests in a real browser too
# make pictures   the pictures of README.md, of the page as it is
# make soak   what is done so often, or to so many, that it takes minutes
.PHONY: run quick test soak pictures format clean
PYTHON ?= python3.11
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup --no-loadscope-reorder

run: .venv/run.done
	$(BIN)/python app.py

quick: .venv/test.done
	$(PYTEST) -m "not slow and not browser and not soak"

test: .venv/test.done node_modules/.package-lock.json
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	node_modules/.bin/biome check --error-on-warnings hfdemo/ui/static
	$(BIN)/mypy
	$(BIN)/python -m tests.browser.find
	$(PYTEST) -m "not soak" --durations=15

soak: .venv/test.done
	$(BIN)/python -m pytest -n0 -m soak

pictures: .venv/test.done
	$(BIN)/python -m tests.browser.find
	$(BIN)/python -m tests.browser.take_pictures

format: .venv/test.done node_modules/.package-lock.json
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	node_modules/.bin/biome check --write hfdemo/ui/static

clean:
	rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache

.venv/run.done: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

.venv/test.done: requirements-dev.txt .venv/run.done
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --silent --no-audit --no-fund
	touch $@
