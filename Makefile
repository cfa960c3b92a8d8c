# make demo   see it work     make check   what is quick     make test   check everything     make help   the rest
.DEFAULT_GOAL := help
BIN := .venv/bin
ONCE ?=
FILES ?=
export PYTHONUNBUFFERED := 1
# The shell's own Python settings must not leak into the locked environment.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV DJANGO_SETTINGS_MODULE PYTHONDONTWRITEBYTECODE

.PHONY: help demo check test test-random test-plans test-dates test-faults test-cluster test-upgrade drill-restore mutants lint names sandbox bench bench-rules bench-reminders bench-audit bench-dispense bench-load bench-cds bench-imports golden audit lock styles browser dist clean distclean install-run install-test install-bench

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: install-run styles ## start real servers and do the main job before your eyes (ONCE=1: stop after the story)
	@ONCE=$(ONCE) $(BIN)/python -m deploy.demo

test: install-test styles browser lint ## check everything: style, types, layers, and every test, on servers of its own
	@$(BIN)/pytest -n 2 --dist loadgroup --durations=10 -m "not faults"
	@$(BIN)/pytest --durations=10 -m faults  # one after the other, on servers of its own: it kills, and measures how long things take

check: install-test styles lint ## style, types, layers and every test that is quick, in parallel; a tenth of the random examples
	@EXAMPLES_PERCENT=10 $(BIN)/pytest -q -p no:schemathesis -n 2 --dist loadgroup --durations=10 -m "not slow and not faults and not browser"

test-random: install-test ## the rule book's tests with random examples instead of the same ones each time (SEED=1 TIMES=20)
	@seed=$(or $(SEED),$$(od -An -N4 -tu4 /dev/urandom)); for turn in $$(seq $(or $(TIMES),1)); do \
	  echo "Seed $$seed. Again: make test-random SEED=$$seed"; \
	  $(BIN)/pytest -q --hypothesis-profile=random --hypothesis-seed=$$seed tests/baclofen_rules || exit 1; seed=$$((seed + 1)); done

test-plans: install-test ## put random asks to the planner and check every answer (ASKS=100000 SEED=1)
	@$(BIN)/python -m tests.baclofen_rules.planning.asks $(or $(ASKS),100000) --seed $(or $(SEED),1)

test-dates: install-test styles ## the suite on other days, at other hours and in the nights when clocks change (FILES="tomorrow -- tests/dispensary/api")
	@$(BIN)/python -m tests.dates $(FILES)

sandbox: install-test styles browser ## drive the public CDS Hooks Sandbox against us (SANDBOX=folder of its sources, built)
	@if [ -f "$(SANDBOX)/build/app.bundle.js" ]; then SANDBOX="$(SANDBOX)" $(BIN)/pytest -q -p no:schemathesis tests/clients/sandbox.py; \
	  else echo "SANDBOX names no folder with build/app.bundle.js: fetch cds-hooks/sandbox, see the top of tests/clients/sandbox.py."; fi

lint: install-test
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@$(BIN)/mypy --no-error-summary

names: install-test ## report how plainly the code is named: vague names, docstrings, functions called once, commit subjects
	@$(BIN)/python -m tests.names

bench: install-bench styles ## measure against the bars of tests/benchmarks/RESULTS.md
	@$(BIN)/pytest --benchmark-only -o addopts= tests/benchmarks

mutants: install-test ## change the rule book in thousands of ways: which change does no test notice? (FILES=rules/ceiling.py)
	@nice -n 19 $(BIN)/python -m tests.baclofen_rules.mutation $(FILES)

bench-rules: install-bench ## the rule book beside GoRules zen, CEL and Rego: same checks, same cases
	@$(BIN)/python -m tests.benchmarks.rules_engines

test-faults: install-test ## kill workers, beat, broker and database at length (over an hour; `make test` has the short form)
	@FAULTS=long $(BIN)/pytest -m faults tests/dispensary/faults tests/dispensary/audit

test-cluster: install-test styles ## a whole site on five hosts of this machine through the failover matrix, ten minutes and more (ROWS="postgres vanish")
	@$(BIN)/python -m tests.cluster $(ROWS)

test-upgrade: install-test ## the code of the last release on today's tables, and today's code after it
	@$(BIN)/python -m tests.upgrade

drill-restore: install-test styles ## back up a site, restore it to a point in time by the runbook of deploy/OPERATING.md, and time each step
	@$(BIN)/python -m tests.restore

bench-reminders: install-bench ## the reminder engine beside a bare Celery ETA task and procrastinate, in one run
	@$(BIN)/python -m tests.benchmarks.reminders

bench-dispense: install-bench ## receive, look and dispense beside a bare view and beside django-simple-history, in one run
	@$(BIN)/python -m tests.benchmarks.dispense_compare

bench-load: install-bench ## whole dispenses of 8 counters in an open load, and the greatest rate, beside django-simple-history
	@$(BIN)/python -m tests.benchmarks.dispense_load

bench-cds: install-bench ## a call of CDS Hooks beside a bare view, and 16 clients of one call a second
	@$(BIN)/python -m tests.benchmarks.cds_calls

bench-imports: install-bench ## imports of orders and supplies: lines a second, and the memory as the file goes on (LINES=20000)
	@$(BIN)/python -m tests.benchmarks.imports $(if $(LINES),--lines $(LINES))

bench-audit: install-bench ## the audit log beside what people use today, and its search at size (ENTRIES=1000000 PARTS="compare search")
	@$(BIN)/python -m tests.benchmarks.audit_compare --entries $(or $(ENTRIES),1000000) $(if $(PARTS),--parts $(PARTS)) $(if $(STATE),--state $(STATE))

golden: install-test ## rewrite tests/golden/ after a change that is meant to change answers; read the diff
	@$(BIN)/pytest -q tests/golden --rewrite-golden

audit: install-test ## ask for known weaknesses of the locked packages; says so where no advisory source answers
	@$(BIN)/uv venv -q --allow-existing --python $(BIN)/python .run/audit
	@VIRTUAL_ENV=$$PWD/.run/audit $(BIN)/uv pip sync -q --require-hashes deploy/requirements/audit.txt
	@$(BIN)/python -m deploy.advisories

lock: install-test ## renew the hash-pinned locks from deploy/requirements/*.in
	@cd deploy/requirements && for set in bootstrap run test bench audit cluster; do \
	  echo "$$set.txt" && ../../$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header --universal \
	    --python-version 3.11 $$set.in -o $$set.txt || exit 1; done

styles: install-run
	@$(BIN)/python dispensary/counter/styles/build.py --quiet

browser: install-test
	@$(BIN)/python -m tests.chromium

dist: install-test styles ## build dist/: wheel and source archive with style sheet and fonts, the documentation as pages, the bill of materials (CycloneDX)
	@rm -rf dist && $(BIN)/python -m build --no-isolation --outdir dist .
	@$(BIN)/python -m deploy.materials dist/*.whl
	@$(BIN)/python -m deploy.pages dist

clean: ## stop nothing, forget everything the demo made: servers' data, built files
	@if [ -d .run ]; then $(BIN)/python -m deploy.forget; fi
	@rm -rf build dist dispensary/static/dispensary/built dispensary/counter/styles/node_modules *.egg-info

distclean: clean ## the same, and the installed packages
	@[ -L .venv ] || rm -rf .venv

install-run install-test install-bench: install-%:
	@deploy/install.sh $*
