# Tandem: `make run` to hear it, `make test` to trust it, `make help` for the rest.
SHELL        := /bin/bash
.SHELLFLAGS  := -eu -o pipefail -c
.DEFAULT_GOAL := help

STATE    ?= var
PROFILES ?= sip-profiles
SEED     ?= 1
RUNS     ?= 20
SECONDS_ ?= 60
ifneq ($(origin SECONDS),undefined)
SECONDS_ := $(SECONDS)
endif
TANDEM   := .build/release/tandem

.PHONY: help run test deps deps-test build build-simulate build-all build-debug unit menus simulated scenarios lint bench simulate chaos fuzz conformance sanitize

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-22s %s\n", $$1, $$2}' Makefile

run: deps build ## fresh machine to running system: install, build, start everything on loopback
	@exec $(TANDEM) up --profiles $(PROFILES) --state $(STATE)

test: deps deps-test build unit menus simulated scenarios ## fresh machine to tested: everything that needs nothing outside this machine
	@tools/summary unit menus simulated scenarios

deps: ## install the Debian packages that building and running need, and name what is missing
	@tools/deps run

deps-test: ## install what the tests need besides
	@tools/deps test

build: ## release build of tandem itself (the first takes ten minutes)
	@tools/build release tandem

build-simulate:
	@tools/build release tandem-simulate

build-all:
	@tools/build release

build-debug:
	@tools/build debug

unit: build-debug ## unit, table, property and contract tests
	@tools/step unit swift test --parallel

menus: build ## the test scripts beside the shipped menus
	@tools/step menus tools/menu-tests $(TANDEM)

simulated: build-simulate ## twenty seeds of the simulation
	@tools/step simulated .build/release/tandem-simulate --seed 1 --runs 20 --seconds 150

scenarios: build ## SIPp and test phones against real processes, with real kills
	@tools/step scenarios python3 Tests/Scenarios/run.py

conformance: build-debug build ## the message corpus and the RFC scenarios alone
	@tools/step corpus swift test --filter SIPTests
	@tools/step conformance python3 Tests/Scenarios/run.py --group conformance

lint: ## formatter, warnings as errors, tidy checks
	@tools/lint

bench: build-all ## side by side with the peers that are installed; writes docs/BENCHMARKS.md
	@python3 Benchmarks/run.py

simulate: build-simulate ## whole system on a virtual clock: SEED=n RUNS=n
	@.build/release/tandem-simulate --seed $(SEED) --runs $(RUNS)

chaos: deps-test build ## real processes under load, killed, frozen, cut off; as root on hosts of their own: SECONDS=n SEED=n
	@python3 Tests/Scenarios/chaos.py --seconds $(SECONDS_) $(if $(filter-out file,$(origin SEED)),--seed $(SEED))

fuzz: deps ## libFuzzer on the parser: SECONDS=n
	@Fuzz/run $(SECONDS_)

sanitize: deps ## the unit tests under thread and address sanitizers
	@tools/sanitize
