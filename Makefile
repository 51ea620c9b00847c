# The commands of the house; `make help` lists them. Each is a few lines over CMake, ninja, ctest and tools/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := release
.PHONY: release demo test verify-long asan tsan fuzz bench install format check clean help

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 30
# How many test programs run at once.
TEST_JOBS ?= $(shell nproc)
DEMO_FLAGS ?= --model lenet5 --data digits --epochs 2 --seed 1
BENCH ?= train_throughput

# $(call configure,PRESET): quiet unless there is something to say.
configure = cmake --preset $(1) --log-level=NOTICE >/dev/null
# clang 14's ThreadSanitizer does not know the address layouts of newer kernels; without randomisation it needs not.
fixed_addresses = $(shell setarch -R true 2>/dev/null && echo setarch -R)
# One line that moves where somebody watches, silence elsewhere.
quiet = $(if $(MAKE_TERMOUT),,--quiet)
run_tests = tools/run_tests build/$(1) -j $(TEST_JOBS)

release: ## build the program: build/release/convoy
	@$(call configure,release)
	@ninja -C build/release $(quiet) convoy

demo: ## install what is missing, build, and watch LeNet-5 learn the embedded digits
	@tools/setup core
	@$(MAKE) --no-print-directory release
	build/release/convoy train $(DEMO_FLAGS)

test: ## install what is missing, build everything, run all tests
	@tools/setup test full lab
	@$(call configure,release)
	@ninja -C build/release $(quiet) all convoy_tests convoy_benches
	@$(call run_tests,release) -LE long

verify-long: ## the proofs that take too long for every change
	@tools/setup test full lab
	@$(call configure,release)
	@ninja -C build/release $(quiet) all convoy_long_tests
	@$(call run_tests,release) -L long

asan: ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/setup test full lab
	@$(call configure,dev)
	@ninja -C build/dev $(quiet) convoy convoy_tests
	@ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 \
	  $(call run_tests,dev) -LE long

tsan: ## all tests under ThreadSanitizer
	@tools/setup test full lab clang
	@$(call configure,tsan)
	@ninja -C build/tsan $(quiet) convoy convoy_tests
	@TSAN_OPTIONS=ignore_noninstrumented_modules=1:second_deadlock_stack=1 \
	  OMP_TOOL_LIBRARIES=/usr/lib/llvm-14/lib/libarcher.so $(fixed_addresses) $(call run_tests,tsan) -LE long

fuzz: ## every fuzz target for FUZZ_SECONDS (30)
	@tools/setup test full clang
	@$(call configure,fuzz)
	@ninja -C build/fuzz $(quiet) convoy_fuzzers
	@tools/run_fuzz build/fuzz $(FUZZ_SECONDS)

bench: ## run the benchmark BENCH (train_throughput) beside its peer
	@tools/setup core lab
	@$(call configure,release)
	@ninja -C build/release $(quiet) convoy_benches
	build/release/bench/$(BENCH)

install: ## headers, libraries, CMake package and program under PREFIX (/usr/local)
	@$(call configure,release)
	@ninja -C build/release $(quiet)
	cmake --install build/release --prefix "$(PREFIX)" >/dev/null

format: ## format every C++ file
	@tools/setup format
	@tools/check_format --fix

check: ## layers, sizes, format, and the tests of the checkers
	@tools/check_layers
	@tools/check_sizes
	@tools/check_format
	@tools/test_checkers.py

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22
