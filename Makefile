# The front door. Each target first sees to the Debian packages that it needs (scripts/dependencies, packages.txt).
# Variables: JOBS (parallel jobs), PREFIX and DESTDIR (make install), ARGS (passed on by make test to ctest, by make bench
# to the laboratory, by make bench-network and bench-block to their scripts), QUICK=1 (make bench: few sizes), FUZZ_SECONDS, SOAK_SECONDS.

SHELL := /bin/bash
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
DESTDIR ?=
ARGS ?=
QUICK ?=
FUZZ_SECONDS ?= 30
SOAK_SECONDS ?= 600
BUILD := build
# ON in the continuous build.
WERROR := $(or $(CAUSEWAY_WERROR),OFF)

CONFIGURE = cmake --preset $(1) --log-level=WARNING -DCAUSEWAY_WERROR=$(WERROR) $(2) >/dev/null
COMPILE = NINJA_STATUS='[%f/%t] ' cmake --build $(1) -j $(JOBS) --target $(2)

.DEFAULT_GOAL := build
.PHONY: build demo test soak check bench install deb docs uninstall format lint sanitize asan tsan fuzz neighbours bench-ipc bench-network bench-block clean help

build: ## build the library, the programs and the examples (the default)
	@scripts/dependencies build
	@$(call CONFIGURE,release)
	@$(call COMPILE,$(BUILD),programs)

demo: ## sandboxed partitions exchange files through the adapter, a stranger is refused, and the figures
	@scripts/dependencies build demo
	@$(call CONFIGURE,release)
	@$(call COMPILE,$(BUILD),programs)
	@$(BUILD)/bin/causeway demo

test: ## build and run every test and check; ARGS='-R name' picks some
	@scripts/dependencies build demo test
	@$(call CONFIGURE,release,-DCAUSEWAY_TESTS=ON)
	@$(call COMPILE,$(BUILD),all)
	@scripts/run_tests $(BUILD) -j $(JOBS) $(ARGS)

soak: ## partitions come, exchange, die and leave for SOAK_SECONDS (600), while the adapter is killed every few seconds
	@scripts/dependencies build test
	@$(call CONFIGURE,release,-DCAUSEWAY_TESTS=ON)
	@$(call COMPILE,$(BUILD),causeway_soak_tests)
	@CAUSEWAY_SOAK_SECONDS=$(SOAK_SECONDS) $(BUILD)/bin/causeway_soak_tests $(ARGS)

sanitize: asan tsan ## unit to crash and fuzz tests under AddressSanitizer; what has threads under ThreadSanitizer

# Which test files each sanitizer build holds. Not those of the tool and the laboratory, which need all that these are
# made of. ThreadSanitizer sees nothing across two mappings of one memfd, so it gets the suites whose threads share one
# mapping, or the heap, as those of the adapter do.
asan: FILTER := tests/(unit/(abi|adapter|base|client|control|engine|io|platform|shm)|conformance|hostile|crash|faults)/
tsan: FILTER := tests/unit/(abi/|adapter/|engine/|shm/|client/(event_waiter|region_index))

# What the fuzzers find has nothing to do with threads.
asan: LABELS := unit|conformance|hostile|crash|faults|fuzz
tsan: LABELS := unit

asan tsan:
	@scripts/dependencies build demo test clang
	@$(call CONFIGURE,$@,-DCAUSEWAY_TESTS=ON '-DCAUSEWAY_TEST_FILTER=$(FILTER)')
	@$(call COMPILE,build-$@,tests)
	@scripts/run_tests build-$@ -j $(JOBS) -L '^($(LABELS))$$' $(ARGS)

fuzz: ## fuzz every target with libFuzzer for FUZZ_SECONDS each
	@scripts/dependencies build clang
	@$(call CONFIGURE,fuzz)
	@$(call COMPILE,build-fuzz,fuzzers)
	@scripts/run_fuzzers build-fuzz $(FUZZ_SECONDS)

bench: ## measure Causeway and its peers in one run (docs/bench.md); QUICK=1 in two minutes, ARGS='--peers unix' picks
	@scripts/dependencies build bench
	@$(call CONFIGURE,release,-DCAUSEWAY_BENCH=ON)
	@$(call COMPILE,$(BUILD),programs benchmarks)
	@scripts/run_benchmarks $(BUILD) $(if $(QUICK),--quick) $(ARGS)

neighbours: ## measure what a neighbour on the same adapter costs (docs/bench.md)
	@scripts/dependencies build bench
	@$(call CONFIGURE,release,-DCAUSEWAY_BENCH=ON)
	@$(call COMPILE,$(BUILD),programs bench_neighbours)
	@mkdir -p $(BUILD)/bench
	@$(BUILD)/bin/bench_neighbours | tee $(BUILD)/bench/neighbours.json

bench-ipc: ## measure message queues next to ZeroMQ, and requests next to gRPC (docs/ipc.md)
	@scripts/dependencies build bench
	@$(call CONFIGURE,release,-DCAUSEWAY_BENCH=ON)
	@$(call COMPILE,$(BUILD),programs bench_ipc)
	@mkdir -p $(BUILD)/bench
	@$(BUILD)/bin/bench_ipc | tee $(BUILD)/bench/ipc.json

bench-network: ## measure networks next to veth, VDE2 and user-mode NAT (docs/bench.md); as root; ARGS='SECONDS ROUNDS'
	@scripts/dependencies build bench-network
	@$(call CONFIGURE,release)
	@$(call COMPILE,$(BUILD),programs)
	@bench/network/bench_network.py --bin $(BUILD)/bin --output $(BUILD)/bench/network.json $(ARGS)

bench-block: ## measure disks next to fio and nbdkit (docs/bench.md); ARGS='SECONDS ROUNDS'
	@scripts/dependencies build bench-block
	@$(call CONFIGURE,release)
	@$(call COMPILE,$(BUILD),programs)
	@bench/block/bench_block.py --bin $(BUILD)/bin --output $(BUILD)/bench/block.json $(ARGS)

install: build ## install under PREFIX (default /usr/local), into DESTDIR
	@DESTDIR='$(DESTDIR)' cmake --install $(BUILD) --prefix '$(PREFIX)' --strip

deb: ## the Debian packages, into build/packages
	@scripts/dependencies build deb
	@$(call CONFIGURE,release)
	@$(call COMPILE,$(BUILD),programs)
	@scripts/make_packages $(BUILD) $(BUILD)/packages

docs: ## the reference of the public headers, into build/docs/html
	@scripts/dependencies docs
	@scripts/make_reference $(BUILD)/docs

format: ## reformat the C++ sources in place
	@scripts/dependencies lint
	@scripts/format

lint: ## clang-format check and clang-tidy
	@scripts/dependencies build test lint
	@scripts/format --check
	@$(call CONFIGURE,release,-DCAUSEWAY_TESTS=ON)
	@scripts/lint $(BUILD) $(JOBS)

clean: ## remove every build folder
	rm -rf build build-debug build-asan build-tsan build-fuzz

help: ## this list
	@echo 'Targets of Causeway (variables: JOBS PREFIX DESTDIR ARGS FUZZ_SECONDS QUICK):'
	@awk -F ':.*## ' '/^[a-z]+[a-z -]*:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
