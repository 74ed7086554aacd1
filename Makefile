# SPDX-License-Identifier: GPL-2.0-or-later
# Ringside.  `make help` lists the targets; CONFIG chooses how things are built.
#
# A source is found by its place: sim/ROOM/*.c and *.S make the library, sim/cli/ the program, each
# tests/unit/test_*.c one test program, each tests/fuzz/fuzz_*.c one operation-list fuzzer.
# Ring code (RING) is compiled with -fsanitize=thread so that the compiler reports its accesses to
# us: the run time behind those calls is sim/memory/, not the sanitizer's.

CONFIG ?= release
CC ?= gcc
# Processes at a time, of compilers and of tests.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
export JOBS
BUILD ?= build/$(CONFIG)
LUA_PC := lua5.4
# Optional: editing and history at the prompt of `ringside shell`.
EDIT_LIBS := $(shell pkg-config --libs libedit 2>/dev/null)
PKGS := sqlite3 yaml-0.1 $(LUA_PC) libdw
# Silent where pkg-config is not installed yet: `make demo` and `make check` install it and start
# make again.
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wwrite-strings -Wundef -Wno-unused-parameter
STD := -std=gnu17 -D_GNU_SOURCE
VERSION := $(shell cat VERSION)
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

OPT_release := -O2 -g
OPT_ubsan := -O1 -g -fsanitize=undefined -fno-sanitize-recover=undefined
OPT_asan := $(OPT_ubsan) -fsanitize=address -fno-omit-frame-pointer
OPT_hostile := -O1 -g -DRINGSIDE_HOSTILE
OPT_coverage := -O0 -g --coverage
OPT_debug := -O0 -g
OPT_clang := -O2 -g
OPT_fallback := -O2 -g -DSWITCH_UCONTEXT
LINK_asan := -fsanitize=address,undefined
LINK_ubsan := -fsanitize=undefined
LINK_coverage := --coverage

CFLAGS ?= -Werror
ALL_CFLAGS = $(STD) $(WARN) $(OPT_$(CONFIG)) -Isim $(PKG_CFLAGS) $(CFLAGS)
LDLIBS = -Wl,--build-id=sha1 $(LINUX_LIBS) $(LINK_$(CONFIG)) $(TRACECMD_LIBS) $(PKG_LIBS) -lm \
	-ldl -lpthread

RING := $(wildcard sim/virtio/ring_*.c) sim/kvm/dirty_ring_entry.c
# Lowest first: a room includes only rooms before it in this list (scripts/tidy checks that).
ROOMS ?= base engine memory explore notify kvm virtio datapath guest vhost vmm migration oracle \
	record trace script
LIB_SRC := $(wildcard $(ROOMS:%=sim/%/*.c))
CLI_SRC := $(wildcard sim/cli/*.c)

# Linux's ring code (sim/datapath/linux/): LINUX_SRC is a kernel tree or a tarball of one, found by
# itself where Debian's linux-source package is installed; "none" builds without.
LINUX_SRC ?= $(lastword $(sort $(wildcard /usr/src/linux-source-*.tar.xz)))
ifeq ($(filter-out none,$(LINUX_SRC)),)
LINUX_OBJ :=
else
ifeq ($(wildcard $(LINUX_SRC)),)
$(error LINUX_SRC=$(LINUX_SRC): there is no such file or folder; "none" builds without Linux)
endif
LINUX_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard sim/datapath/linux/*.c))
LINUX_LIBS := -Wl,-u,datapath_linux
endif

# trace-cmd's library (sim/trace/tracecmd/), where pkg-config finds it; "none" builds without.
TRACECMD ?= $(shell pkg-config --exists libtracecmd 2>/dev/null && echo libtracecmd libtraceevent)
ifneq ($(filter-out none,$(TRACECMD)),)
TRACECMD_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard sim/trace/tracecmd/*.c))
TRACECMD_CFLAGS := $(subst -I,-isystem ,$(shell pkg-config --cflags $(TRACECMD)))
TRACECMD_LIBS := -Wl,-u,tracecmd_walk $(shell pkg-config --libs $(TRACECMD))
endif
ASM_SRC := $(wildcard $(ROOMS:%=sim/%/*.S))
TEST_SRC := $(wildcard tests/unit/test_*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC := $(wildcard tests/bench/bench_*.c)

LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(ASM_SRC:%.S=$(BUILD)/%.o) $(LINUX_OBJ) \
	$(TRACECMD_OBJ)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
TESTS := $(TEST_SRC:tests/%.c=$(BUILD)/%)
FUZZERS := $(FUZZ_SRC:tests/%.c=$(BUILD)/%)
BENCHES := $(BENCH_SRC:tests/bench/%.c=$(BUILD)/%)
BIN := $(BUILD)/ringside

.PHONY: all
all: $(BIN) ringside $(BUILD)/barriers.checked

ringside: $(BUILD)/ringside
	@cp -f $< $@

# What a schedule goes through again and again begins at cache lines: without, what happens to be
# linked before decides its speed, by a tenth.
$(filter $(foreach room,base engine memory explore,$(BUILD)/sim/$(room)/%),$(LIB_OBJ)): \
	OPT_release += -falign-functions=64

# Ring code: instrumented for us, never together with the address sanitizer.
$(RING:%.c=$(BUILD)/%.o): OPT_asan := $(OPT_ubsan)
# The run time behind the instrumentation: under another sanitizer gcc would insist on its own
# prototypes.
$(BUILD)/sim/memory/access_tsan.o: OPT_asan := -O1 -g
$(BUILD)/sim/memory/access_tsan.o: OPT_ubsan := -O1 -g
$(RING:%.c=$(BUILD)/%.o): ALL_CFLAGS += -fsanitize=thread $(TSAN_VOLATILE)

# The kernel's files are instrumented as ring code is, and compiled as the kernel compiles them in
# what matters.  Their names stay in the library: a plugin may bring the same ones.
LINUX_DIR := build/linux-source
LINUX_RING := $(filter-out %/linux_ring.o,$(LINUX_OBJ))
$(LINUX_OBJ): $(BUILD)/linux-source
$(LINUX_OBJ): ALL_CFLAGS += -fvisibility=hidden
$(LINUX_RING): OPT_asan := -O1 -g
$(LINUX_RING): OPT_ubsan := -O1 -g
$(LINUX_RING): ALL_CFLAGS += -fsanitize=thread $(TSAN_VOLATILE) -fno-strict-aliasing -D__KERNEL__ \
	-isystem $(LINUX_DIR)/stub -isystem $(LINUX_DIR) -isystem $(LINUX_DIR)/include \
	-isystem $(LINUX_DIR)/include/uapi
# Volatile accesses are told apart; clang is not to leave out a load before a store to its place.
TSAN_VOLATILE := $(if $(findstring clang,$(CC)),-mllvm -tsan-distinguish-volatile=1 \
	-mllvm -tsan-instrument-read-before-write=1,--param tsan-distinguish-volatile=1)

# Changes when the kernel's source does: then what is built from it, or was, is not up to date.
$(BUILD)/linux-source: FORCE
	@mkdir -p $(@D)
	@if [ -n "$(LINUX_OBJ)" ]; then \
		scripts/linux-source.sh $(LINUX_SRC) $(LINUX_DIR) && from=$(LINUX_DIR)/from; \
	else \
		from=/dev/null; \
	fi && { cmp -s $$from $@ || cp $$from $@; }
.PHONY: FORCE
FORCE:

$(TRACECMD_OBJ): ALL_CFLAGS += $(TRACECMD_CFLAGS)
# Changes when trace-cmd's library comes or goes.
$(BUILD)/tracecmd: FORCE
	@mkdir -p $(@D)
	@echo "$(TRACECMD_LIBS)" | cmp -s - $@ || echo "$(TRACECMD_LIBS)" >$@

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/%.o: %.S Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

ifneq ($(EDIT_LIBS),)
$(BUILD)/sim/cli/shell.o: ALL_CFLAGS += -DHAVE_LIBEDIT $(shell pkg-config --cflags libedit)
endif

# Its text is in the program.
$(BUILD)/sim/script/litmus_prelude.o: sim/script/litmus_prelude.h
$(BUILD)/sim/trace/qemu_trace_events.o: sim/trace/qemu-trace-events

$(BUILD)/sim/cli/version.o: ALL_CFLAGS += -DRINGSIDE_VERSION='"$(VERSION)"' \
	-DRINGSIDE_COMMIT='"$(COMMIT)"'

$(BUILD)/libringside.a: $(LIB_OBJ) $(BUILD)/linux-source $(BUILD)/tracecmd
	@rm -f $@
	ar rcs $@ $(LIB_OBJ)

# Inline-assembly barriers in ring code would be there for the processor and for no memory model.
$(BUILD)/barriers.checked: $(LIB_OBJ) scripts/check-barriers.sh
	@scripts/check-barriers.sh $(LIB_OBJ)
	@touch $@

# The whole library: plugins take the run time behind their instrumentation from the program
# (datapath/plugin.h), and ring code that was built in is found (datapath/registry.c).  No other
# symbol is exported, lest a function of ours stand in for a plugin's of the same name.
EXPORT := -Wl,--export-dynamic-symbol=__tsan_* -Wl,--export-dynamic-symbol=ringside_*
$(BIN): $(CLI_OBJ) $(BUILD)/libringside.a
	$(CC) $(EXPORT) -o $@ $(CLI_OBJ) -Wl,--whole-archive $(BUILD)/libringside.a \
		-Wl,--no-whole-archive $(EDIT_LIBS) $(LDLIBS)

# They load code that takes the run time behind its instrumentation from the program.
$(BUILD)/unit/test_litmus_tso $(BUILD)/fuzz/fuzz_litmus $(BUILD)/fuzz/fuzz_ring \
	$(BUILD)/fuzz/fuzz_ring_hostile: LDLIBS += -rdynamic -Wl,-u,__tsan_init

$(BUILD)/unit/test_%: $(BUILD)/tests/unit/test_%.o $(BUILD)/libringside.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LDLIBS) -lcmocka

# Linux's tools/virtio/ringtest, each program by itself, instrumented as ring code is.
RINGTESTS := ring virtio_ring_0_9 virtio_ring_inorder virtio_ring_poll
RINGTEST_OBJ := $(if $(LINUX_OBJ),$(RINGTESTS:%=$(BUILD)/tests/ringtest/%.o))
$(BUILD)/unit/test_ringtest: $(RINGTEST_OBJ)
$(BUILD)/tests/ringtest/%.o: tests/ringtest/program.c tests/ringtest/main.h \
		tests/ringtest/ringtest.h $(BUILD)/linux-source Makefile
	@mkdir -p $(@D)
	$(CC) $(STD) -w -O2 -g -fsanitize=thread -Isim -Itests/ringtest \
		-isystem $(LINUX_DIR)/include/uapi -DRINGTEST=rt_$* \
		-DPROGRAM='"$(CURDIR)/$(LINUX_DIR)/tools/virtio/ringtest/$*.c"' -c $< -o $@

$(BUILD)/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/libringside.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LDLIBS)

$(BUILD)/bench_%: $(BUILD)/tests/bench/bench_%.o $(BUILD)/libringside.a
	$(CC) -o $@ $^ $(LDLIBS)

.SECONDARY:

CLI_TESTS := $(wildcard tests/cli/test-*.sh)

.PHONY: unit fuzz cli-tests bench
unit: $(TESTS)
	@scripts/run-tests.sh $(TESTS)

fuzz: $(FUZZERS)
	@scripts/run-tests.sh $(FUZZERS)

cli-tests: all
	@RINGSIDE=$(abspath $(BIN)) scripts/run-tests.sh $(CLI_TESTS)

# Ours and the kernel's, under each memory model.
LITMUS_TESTS := tests/litmus $(if $(LINUX_OBJ),$(LINUX_DIR)/tools/memory-model/litmus-tests \
	$(LINUX_DIR)/Documentation/litmus-tests/*)
.PHONY: litmus
litmus: all
	@status=0; for d in $(LITMUS_TESTS); do \
		echo "== $$d"; RINGSIDE=$(BIN) scripts/litmus.sh $$d || status=1; done; \
	[ -n "$(LINUX_OBJ)" ] || echo "the kernel's are skipped: no source, install" \
		"linux-source-6.1 or name one with LINUX_SRC"; \
	exit $$status

# operation<TAB>rate<TAB>unit, after a line that names machine and commit.
bench: $(BENCHES) all
	@echo "# $$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $$(uname -sr)," \
		"commit $(COMMIT)"
	@for b in $(BENCHES); do $$b || exit 1; done

# The whole suite in another build.
.PHONY: asan ubsan hostile
asan ubsan hostile:
	@$(MAKE) -s -j$(JOBS) CONFIG=$@ $(@:%=build/%/ringside)
	@$(MAKE) -s -j$(JOBS) CONFIG=$@ unit
	@$(MAKE) -s -j$(JOBS) CONFIG=$@ fuzz
	@$(MAKE) -s CONFIG=$@ cli-tests

.PHONY: tidy
tidy:
	@lua5.4 scripts/tidy.lua
	@luacheck --quiet scenarios tests/cli scripts

# What a newcomer types first, and what continuous integration runs.
.PHONY: demo check soak deps
deps:
	@scripts/deps.sh

demo: deps
	@$(MAKE) -s -j$(JOBS) all
	@scripts/demo.sh

check: deps
	@MAKE="$(MAKE)" scripts/check.sh

soak: check
	@MAKE="$(MAKE)" scripts/soak.sh

.PHONY: coverage
coverage:
	@$(MAKE) -s -j$(JOBS) CONFIG=coverage all
	@$(MAKE) -s -j$(JOBS) CONFIG=coverage unit cli-tests
	@scripts/coverage.sh build/coverage

PREFIX ?= /usr/local
# What a plugin includes: they stand alone.
PLUGIN_HEADERS := plugin.h datapath.h barrier.h
.PHONY: install
install: all
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/ringside
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/ringside/datapath \
		$(PLUGIN_HEADERS:%=sim/datapath/%)
	mkdir -p $(DESTDIR)$(PREFIX)/share/ringside $(DESTDIR)$(PREFIX)/share/man/man1
	$(BIN) man >$(DESTDIR)$(PREFIX)/share/man/man1/ringside.1
	cp -r scenarios analysis traces $(DESTDIR)$(PREFIX)/share/ringside/

.PHONY: help
help:
	@echo "make all        build the program ./ringside"
	@echo "make demo       install what is missing, build, run the main job on real input"
	@echo "make check      all tests that fit into some minutes; make soak: the rest"
	@echo "make bench      figures: operation, rate, unit"
	@echo "make litmus     litmus tests under each memory model; LINUX_SRC=… of that kernel"
	@echo "make asan ubsan hostile fuzz tidy coverage install clean"
	@echo "CONFIG=release|asan|ubsan|hostile|coverage|debug|fallback, CC=gcc|clang"
	@echo "LINUX_SRC=none, TRACECMD=none: without Linux's ring code, without libtracecmd"

.PHONY: clean
clean:
	rm -rf build ringside

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_SRC:%.c=$(BUILD)/%.d) \
	$(FUZZ_SRC:%.c=$(BUILD)/%.d)
