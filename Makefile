# Holdfast. `make` or `make help` lists what there is to do.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOARCH  ?= $(shell go env GOARCH)
FUZZTIME ?= 5s
# Static, and the same bytes from the same source wherever it is built. Tests and
# linters go by it, too, so that everything is compiled once. Tables for debuggers
# (-w) are left out: they are a third of what linking a test takes.
export CGO_ENABLED := 0
export GOFLAGS := $(GOFLAGS) -trimpath -buildvcs=false -ldflags=-w
LDFLAGS := -s -w -X main.version=$(VERSION)

# Packages whose goroutines share state. The race detector makes code many
# times slower, the pure-Go SQLite above all, so only these run under it, on
# top of the plain run of everything.
RACE ?= $(shell go list ./internal/... | grep -E '/(journal|ledger|loop|http1|nethttp|listener|upstream|health|identity|admission|caller|sensitive|stale|outcome|sign|keyring|webhook|restore|relay|replay|api|app|job|watch|warning|notices|logs|measure|controlapi|oncall|public|incident|announce|evidence|keeping|engine|backupfile)(/|$$)' | grep -v /extract)

.PHONY: help build fonts demo test needs lint tools fuzz race bench campaigns deb clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: fonts ## static binaries into bin/: holdfast and the example shop
	@mkdir -p bin
	@start=$$SECONDS; go build -ldflags '$(LDFLAGS)' -o bin/ $$(ls -d cmd/holdfast examples/shop 2>/dev/null | sed 's,^,./,'); \
	echo "built bin/holdfast bin/shop in $$((SECONDS - start)) s"

fonts: # the Chinese font of printed cards, from Debian; the program compiles without it
	@tools/fonts.sh

demo: build ## see it work: an order system is killed under load, nothing is lost (about 45 s)
	@go build -o bin/demo ./examples/demo && exec bin/demo $(DEMOFLAGS)

test: needs fonts ## every test, with the real nginx and PostgreSQL where they belong
	go test -vet=off -timeout 25m ./... # lint vets
	go -C tools test -count=1 ./... # it reads files that the cache does not watch
	go -C test/protocols test ./...

needs: ## install what the tests need from Debian: servers, a few tools, gcc for the race detector
	@tools/needs.sh

lint: tools ## format, vet, import rules, staticcheck, gosec, house rules, known vulnerabilities
	@tools/lint.sh

tools: # the linters, at the versions that tools/go.mod pins
	@mkdir -p bin/tools
	@cd tools && go build -o ../bin/tools/ tool ./gosec ./house

fuzz: ## each fuzz target for FUZZTIME (5 s)
	@go list -f '{{.ImportPath}} {{.Dir}}' ./... | while read -r pkg dir; do \
		for target in $$(cat $$dir/*_test.go 2>/dev/null | sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p'); do \
			echo "== $$pkg $$target"; \
			go test -vet=off -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$pkg </dev/null; \
		done; \
	done

campaigns: needs ## everything that tests try only a share of: restores under a live writer, kills at each stage, mutated files, histories (hours)
	go test ./internal/backup/postgres -count=1 -run 'RestoresUnderALiveWriter|PlacesOfSnapshots' -timeout 180m -args -restores=200 -places=200
	go test ./internal/backup/postgres -count=1 -run Fault -timeout 60m
	go test ./internal/backupfile -count=1 -timeout 60m -args -cycles=10000
	go test ./internal/backup -count=1 -timeout 60m -args -histories=100000
	go test ./internal/upgrade -count=1 -timeout 120m -args -cycles=0
	go test ./test/respond -count=1 -timeout 180m -args -kills=100

race: ## the concurrent packages under the race detector
	CGO_ENABLED=1 go test -race -vet=off -short -timeout 30m $(RACE)

bench: export CGO_ENABLED := 1
bench: ## passing on, durable accept, drain and a million pending, beside peers; prints a table of ratios (about 20 minutes; needs gcc; see bench/README.md)
	cd bench && go run . $(BENCHFLAGS)

deb: build ## Debian package into dist/, with the systemd unit
	@tools/fonts.sh --must
	@packaging/deb.sh $(VERSION) $(GOARCH)

clean: ## remove bin/, dist/ and what a demo left
	rm -rf bin dist demo-data
