# Passerelle: `make run` serves, `make test` proves. Both install what they need on a bare Debian.

GO       ?= go
TAGS     := nolibopusfile
export GO
export GOFLAGS := -tags=$(TAGS) $(GOFLAGS)
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
STATIC   := CGO_ENABLED=1 CGO_LDFLAGS=-lm $(GO) build -trimpath -buildvcs=false -tags $(TAGS),netgo,osusergo
LDFLAGS  := -s -w -X main.version=$(VERSION) -linkmode external -extldflags "-static"
CACHE    := $(CURDIR)/.cache
LINT     := v2.5.0
FUZZTIME ?= 30s
SOAK     ?= 10m
PEERS    := ./cmd/passerelle/peers/... ./rooms/sfu/page/... ./rooms/livekit/... ./rooms/meet/...

.DEFAULT_GOAL := help

.PHONY: help
help: ## lists what make can do
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## builds and serves with no configuration file: dial it, open the page
	@sh .ci/install.sh asterisk-core-sounds-en-wav asterisk-core-sounds-fr-wav || echo "callers hear the program's own voices: Debian's recordings were not installed"
	bin/passerelle serve

.PHONY: build
build: deps ## builds bin/passerelle and bin/sipload, each one static binary
	@mkdir -p bin
	$(STATIC) -ldflags '$(LDFLAGS)' -o bin/ ./cmd/passerelle ./cmd/sipload

.PHONY: deps
deps: ## installs what a build needs and is absent (libopus-dev, pkg-config)
	@sh .ci/install.sh libopus-dev pkg-config

.PHONY: quick
quick: deps ## the quick loop: every package's own tests
	$(GO) test ./...

.PHONY: test
test: build ## proves everything: real phones, a real browser, a real LiveKit
	@bash .ci/peers.sh
	@bash .ci/livekit.sh
	$(GO) vet -tags $(TAGS),peers ./...
	@bash .ci/tests.sh -timeout 5m ./...
	PASSERELLE_BIN=$(CURDIR)/bin/passerelle bash .ci/tests.sh -tags $(TAGS),peers -p 1 -timeout 12m -count=1 $(PEERS)

.PHONY: proof
proof: test ## the long runs, after the test: race detector, faults, fuzzing, load
	$(MAKE) race
	$(MAKE) newest
	$(MAKE) faults
	$(MAKE) fuzz
	PASSERELLE_TALK=10h $(GO) test -count=1 ./codec/dtmf
	$(MAKE) load
	$(MAKE) load-sound
	$(MAKE) load-livekit
	$(MAKE) soak

.PHONY: newest
newest: build ## the tests of LiveKit rooms against the newest LiveKit server that can be had
	@bash .ci/peers.sh
	@bash .ci/livekit.sh
	@bash .ci/livekit.sh newest
	PASSERELLE_LIVEKIT=$(CACHE)/bin/livekit-server-newest PASSERELLE_BIN=$(CURDIR)/bin/passerelle bash .ci/tests.sh -tags $(TAGS),peers -p 1 -timeout 12m -count=1 ./rooms/livekit/... ./rooms/meet/...
	PASSERELLE_LIVEKIT=$(CACHE)/bin/livekit-server-newest PASSERELLE_BIN=$(CURDIR)/bin/passerelle bash .ci/tests.sh -tags $(TAGS),peers -timeout 12m -count=1 -run 'TestLiveKit$$' ./cmd/passerelle/peers/

.PHONY: faults
faults: build ## LiveKit and Redis killed during calls, a cluster behind Kamailio, gateways drained, killed and stopped
	@bash .ci/peers.sh
	@bash .ci/livekit.sh
	@sh .ci/install.sh kamailio
	PASSERELLE_BIN=$(CURDIR)/bin/passerelle PASSERELLE_PROOF=1 $(GO) test -tags $(TAGS),peers -p 1 -timeout 15m -count=1 -v -run 'TestProof|TestDelay' ./cmd/passerelle/peers/ ./rooms/livekit/

.PHONY: load
load: build ## 200 calls in 20 rooms for a minute, and nothing left of them 40 s later
	@bash .ci/peers.sh
	PASSERELLE_BIN=$(CURDIR)/bin/passerelle PASSERELLE_LOAD=1 PASSERELLE_JUDGE=1 $(GO) test -tags $(TAGS),peers -timeout 15m -count=1 -v -run TestLoad ./cmd/passerelle/peers/

.PHONY: load-sound
load-sound: build ## calls held, CPU beside the floor, set-up rate, sound over bad networks (PART= capacity, floor, rival, setup or quality)
	PASSERELLE_BIN=$(CURDIR)/bin/passerelle PASSERELLE_LOAD=sound PASSERELLE_JUDGE=1 $(GO) test -tags $(TAGS),peers -timeout 30m -count=1 -v -run '^TestSoundLoad$$/^$(PART)' ./cmd/passerelle/peers/

.PHONY: soak
soak: build ## 100 calls that come and go for SOAK (10m): none fails, everything stays flat
	PASSERELLE_BIN=$(CURDIR)/bin/passerelle PASSERELLE_SOAK=$(SOAK) $(GO) test -tags $(TAGS),peers -timeout 75m -count=1 -v -run '^TestSoak$$' ./cmd/passerelle/peers/

.PHONY: load-livekit
load-livekit: build ## what a call in a LiveKit room costs, beside the rival's figures; the last line is one JSON object
	@bash .ci/livekit.sh
	@rm -f .tmp/peers/livekitload.json
	@PASSERELLE_BIN=$(CURDIR)/bin/passerelle PASSERELLE_LOAD=livekit PASSERELLE_JUDGE=1 $(GO) test -tags $(TAGS),peers -timeout 40m -count=1 -v -run '^TestLiveKitLoad$$' ./cmd/passerelle/peers/; \
		status=$$?; cat .tmp/peers/livekitload.json; exit $$status

.PHONY: bench
bench: build ## measures (ten minutes); the last line is one JSON object
	@sh .ci/install.sh sox
	@PASSERELLE_BIN=$(CURDIR)/bin/passerelle PASSERELLE_JUDGE=1 bash .ci/bench.sh

.PHONY: lint
lint: deps ## holds the architecture's arrows and the habits of the code
	@test -x $(CACHE)/bin/golangci-lint || GOFLAGS= GOBIN=$(CACHE)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT)
	$(CACHE)/bin/golangci-lint run --build-tags $(TAGS),peers

.PHONY: race
race: deps ## the packages' own tests under the race detector
	$(GO) test -race -timeout 10m ./...

.PHONY: fuzz
fuzz: deps ## every fuzz target for FUZZTIME (30s)
	@sh .ci/fuzz.sh $(FUZZTIME)
