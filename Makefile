# Windlass. `make demo` shows it at work, `make test` proves it. Both set up
# what they need by themselves.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
TOOLS    := $(CURDIR)/.tools
VENV     := $(CURDIR)/.venv
SECONDS  ?= 60
export CGO_ENABLED ?= 0

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: build
build: ## Build bin/cfy
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/cfy ./cmd/cfy

.PHONY: demo
demo: build ## Start a manager, install the example, show the page (STOP=1 takes it down again)
	STOP=$(STOP) scripts/demo.sh

.PHONY: test
test: test-setup build ## Run every test, on both databases, with the race detector
	scripts/test.sh

.PHONY: test-setup
test-setup: apt-packages $(VENV)/.installed $(TOOLS)/gotestsum

# Debian's packages that the tests use: a PostgreSQL server, shells and
# interpreters for script operations.
.PHONY: apt-packages
apt-packages:
	scripts/apt-packages.sh $(SUDO)

# The original's own client, which must work against this manager.
$(VENV)/.installed: test/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r test/requirements.txt
	touch $@

$(TOOLS)/gotestsum:
	GOBIN=$(TOOLS) $(GO) install gotest.tools/gotestsum@v1.13.0

$(TOOLS)/staticcheck:
	GOBIN=$(TOOLS) $(GO) install honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: lint
lint: $(TOOLS)/staticcheck apt-packages ## Formatting, vet, staticcheck, shellcheck
	test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run gofmt -w on these'; exit 1; }
	$(GO) vet ./...
	$(TOOLS)/staticcheck ./...
	shellcheck $$(git ls-files '*.sh')

.PHONY: bench
bench: build ## Measure: parsing, engine, storage, scripts, start-up
	scripts/bench.sh

.PHONY: fuzz
fuzz: ## Fuzz every target for SECONDS each (default 60)
	scripts/fuzz.sh $(SECONDS)

.PHONY: soak
soak: test-setup build ## Kill managers, break stores and cut the power for SECONDS (default 60); the last line has the totals
	scripts/soak.sh $(SECONDS)

.PHONY: real-plugins
real-plugins: build ## Build real plugins from GitHub and run them: utilities, fabric, terraform, ansible
	test/real-plugins/run.sh

.PHONY: clean
clean: ## Remove what was built and installed here
	rm -rf bin $(TOOLS) $(VENV) .demo .real-plugins

.PHONY: help
help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14
