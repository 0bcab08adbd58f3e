# What a newcomer needs: make demo, make test. Everything is fetched through go.mod; Go, a C compiler (for the race
# detector), make and git are enough.

GO       ?= go
BIN      := bin/groat
PACKAGES = $(shell $(GO) list ./... 2>/dev/null)
UNIT      = $(filter-out groat/e2e,$(PACKAGES))

.PHONY: build demo test lint unit e2e bench fuzz soak clean

build:
	$(GO) build -trimpath -o $(BIN) ./cmd/groat

# Five real nodes, one payment, one ledger. Exit code 0 only if all nodes agree.
demo: build
	$(BIN) testnet up --nodes 5 --demo

test: lint unit e2e

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted (run gofmt -w):"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# The race detector needs a C compiler. It watches the simulated networks too: two minutes of one processor, more on a busy machine.
unit:
	CGO_ENABLED=1 $(GO) test -race -timeout 20m $(UNIT)

# Whole networks of real processes. They share the machine with nothing else, since they watch the clock. The second run watches
# the nodes themselves with the race detector; one that finds something ends a node with an error.
e2e:
	$(GO) test -count=1 -timeout 8m ./e2e
	CGO_ENABLED=1 GROAT_BUILD=-race $(GO) test -count=1 -timeout 8m -run 'Demo|Five|Down|Split' ./e2e

# Benchmarks of the parts, then whole nodes of groat and btcd on the same chain, then a newcomer that takes 100 MB from four peers: docs/performance.md says how to read them. COMPARE
# takes flags, such as -txs 20000 for a quick look or -btcd "" for groat alone. About ten minutes on two cores.
BENCHTIME ?= 300ms
bench:
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) -timeout 10m $(UNIT)
	$(GO) run ./internal/compare $(COMPARE)
	$(GO) test -run '^$$' -bench InitialSync -benchtime 1x -timeout 30m ./e2e

# Every fuzz target for FUZZTIME. A finding is kept in its package's testdata/fuzz and fails make test from then on.
FUZZTIME ?= 20s
fuzz:
	@set -e; for package in $(PACKAGES); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "fuzz $$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

# The tests that grow with GROAT_SOAK, such as kills in the middle of work, at their full size.
SOAK ?= 1000
soak:
	GROAT_SOAK=$(SOAK) $(GO) test -count=1 -timeout 12h -v ./e2e
	GROAT_SOAK=$(SOAK) $(GO) test -count=1 -timeout 1h -v -run 'TestTown|TestLowWorkHeaderFlood' ./p2p

clean:
	rm -rf bin
