# ipcbox: one binary, build/ipcbox, whose applets are the files in applets/.
#
#   make            build it            make demo      see it at work, live
#   make test       run the tests       make check     linters, sanitizers, docs against code
#   make help       everything else

VERSION := $(shell sed -n 's/.*IPCBOX_VERSION "\(.*\)"/\1/p' common/base/version.h)
PREFIX  ?= /usr/local
DESTDIR ?=
# links and pages for the applets: free (where nobody else has the name), all, none; and what their names begin with
LINKS   ?= free
NAME_PREFIX ?=
B       ?= build

# make check adds WERROR=-Werror: a compiler of tomorrow warns of more, and that must stop nobody's build
WARN  = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Werror=switch $(WERROR)
# What the code needs, whatever CPPFLAGS and CFLAGS a packager gives.
# _GNU_SOURCE: accept4, splice, struct ucred; what is Linux only stands behind functions of common/
# 64 bits for times and offsets, also where long has 32
NEED     = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 $(DEFINE) $(INCLUDE)
DEFINE   =
INCLUDE  = -Icommon -I$(B)
CFLAGS  ?= -O2 -g
# a packager's own _FORTIFY_SOURCE stays, and that of a compiler that has one gives way to ours
FORTIFY  = $(if $(findstring _FORTIFY_SOURCE,$(CC) $(CPPFLAGS) $(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDEN   = $(FORTIFY) -fstack-protector-strong -fPIE
# the same binary, with -g, from whatever directory ($$PWD is the shell's)
SAME     = -ffile-prefix-map="$$PWD"=.
LINK     = -pie -Wl,-z,relro,-z,now -Wl,--as-needed

ifeq ($(ONLY),)
APPLETS  = $(sort $(patsubst applets/%.c,%,$(wildcard applets/*.c)))
SOURCES  = $(wildcard common/*/*.c applets/*.c)
else
APPLETS  = $(ONLY)
WITHOUT  = $(addprefix common/,box/toolbox.c box/install.c box/complete.c base/kinds.c $(if $(filter-out status,$(ONLY)),status/%))
SOURCES  = $(filter-out $(WITHOUT),$(wildcard common/*/*.c)) applets/$(ONLY).c
DEFINE  += -DONE_APPLET
endif
OBJECTS  = $(SOURCES:%.c=$(B)/%.o)
# those that have no link, and are reached as `ipcbox NAME` alone
INNER    = $(patsubst applets/%.c,%,$(shell grep -l '\.is_inner = true' applets/*.c))
# SPAWN=fork: programs are started by fork(2) alone, for valgrind(1) and sanitizers
ifeq ($(SPAWN),fork)
DEFINE  += -DSPAWN_FORK
endif
COMPILE  = $(CC) $(NEED) $(WARN) $(HARDEN) $(SAME) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c

# V=1 shows the commands whole
ifeq ($(V),)
Q   = @
SAY = @echo ' '
else
SAY = @:
endif

.PHONY: all demo test test-all helpers check analyse coverage models torture soak places peers check-peers bench tools fuzz fuzz-targets install uninstall static dist release deb docs applet clean help FORCE
.DELETE_ON_ERROR:

all: $(B)/ipcbox

$(B)/ipcbox: $(OBJECTS)
	$(SAY) LD $@
	$(Q)$(CC) $(SAME) $(CFLAGS) $(LINK) $(LDFLAGS) -o $@ $^

$(B)/%.o: %.c $(B)/flags | $(B)/registry.h $(B)/completion.h
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(COMPILE) -o $@ $<

# every applet exports one symbol: applet_NAME, with _ for -; when one has gone, nothing else is newer
$(B)/registry.h: FORCE
	@mkdir -p $(@D)
	@set -- $(subst -,_,$(APPLETS)); printf 'APPLET(applet_%s)\n' "$$@" | cmp -s - $@ || printf 'APPLET(applet_%s)\n' "$$@" >$@

# the scripts behind --completion, packed, as strings
SCRIPTS = $(wildcard common/completion/*.sh)

$(B)/completion.h: common/completion/pack.awk $(SCRIPTS) Makefile
	@mkdir -p $(@D)
	$(Q)LC_ALL=C awk -f common/completion/pack.awk $(SCRIPTS) >$@

# a change of compiler or flags rebuilds everything; then it is also seen whether there is a compiler with its headers
# (by the environment: flags may have quotes)
$(B)/flags: export FLAGS_NOW = $(COMPILE) $(LINK) $(LDFLAGS)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$FLAGS_NOW" | cmp -s - $@ || { $(PROBE) && printf '%s\n' "$$FLAGS_NOW" >$@; }

PROBE = { command -v $(firstword $(CC)) >/dev/null || \
    { echo 'make: there is no $(firstword $(CC)): a C compiler is needed (Debian: apt-get install gcc libc6-dev)' >&2; false; }; } && \
  { $(CC) -include stdio.h -E -x c /dev/null >/dev/null 2>&1 || \
    { echo 'make: $(firstword $(CC)) finds no <stdio.h>: the headers of the C library are needed (Debian: apt-get install libc6-dev)' >&2; false; }; }

# one applet alone: build/one/NAME
one/%: FORCE
	+$(Q)$(MAKE) --no-print-directory B=$(B)/one.$* ONLY=$*
	@mkdir -p $(B)/one && cp $(B)/one.$*/ipcbox $(B)/one/$*

# one static binary with musl, as small as it gets: build/static/ipcbox; a page size below the real one only keeps the
# linker from filling up the last page of the code in the file
# those from -fno-jump-tables on save 3 KB together
# gcc has -Oz from 12 on
STATIC_CC ?= musl-gcc
OZ = $(shell $(STATIC_CC) -Oz -E -x c /dev/null >/dev/null 2>&1 && echo -Oz || echo -Os)
SMALL = $(OZ) -flto -flto-partition=one -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables \
  -fno-jump-tables -fno-caller-saves -fno-tree-dominator-opts -fno-tree-sra -fipa-pta

static:
	+$(Q)$(MAKE) --no-print-directory B=$(B)/static CC='$(STATIC_CC)' HARDEN='-fno-pie -fstack-protector-strong' \
	  CFLAGS='$(SMALL)' \
	  LINK='-static -no-pie -Wl,-z,norelro,-z,noseparate-code,-z,common-page-size=64,--gc-sections,--sort-section=alignment -s' all $(ALSO)

# what is published: the source as a tarball, static binaries for several machines, Debian's packages
dist:
	@sh contrib/dist.sh $(B)

release:
	+@sh contrib/release.sh $(B) $(ARCH)

deb:
	@sh contrib/deb.sh $(B)

# all documents and manual pages as a static site: build/site; CHROMIUM=chromium looks at it in that browser, too
docs:
	@command -v python3 >/dev/null || { echo 'make docs: python3 is not installed (Debian: apt-get install python3)' >&2; false; }
	@python3 contrib/site/site.py $(B)/site
	@python3 check/site.py $(B)/site $(CHROMIUM)

# bench/NAME.c is one program: build/bench/NAME; hello is static and without a library, so that its start costs least
$(B)/bench/%: bench/%.c bench/tool.h $(B)/flags
	@mkdir -p $(@D)
	$(SAY) CC $@
	$(Q)$(CC) $(NEED) $(WARN) $(HARDEN) $(SAME) $(CPPFLAGS) $(CFLAGS) $(LINK) $(LDFLAGS) -o $@ $<

$(B)/bench/hello: private LINK = -static -nostdlib
$(B)/bench/copy: private LINK = -static -nostdlib
# they use nothing of common/, whose spawn.h is not that of the system
$(B)/bench/%: private INCLUDE = -I$(B)

# bats/helper/NAME.c is a program that tests use: an observer or a hostile peer, of nothing of common/
HELPERS = $(patsubst bats/helper/%.c,$(B)/helper/%,$(wildcard bats/helper/*.c))

$(B)/helper/%: bats/helper/%.c $(B)/flags
	@mkdir -p $(@D)
	$(SAY) CC $@
	$(Q)$(CC) -std=c11 $(WARN) -D_GNU_SOURCE -O1 -g -o $@ $<

# a build whose confined applets try to escape
$(B)/try-escape: $(OBJECTS) check/escape.c
	$(SAY) LD $@
	$(Q)$(COMPILE) -DTRY_ESCAPE -o $(B)/escape-confine.o common/net/confine.c
	$(Q)$(COMPILE) -o $(B)/escape.o check/escape.c
	$(Q)$(CC) $(SAME) $(CFLAGS) $(LINK) $(LDFLAGS) -o $@ $(filter-out %/net/confine.o,$(OBJECTS)) $(B)/escape-confine.o $(B)/escape.o

# check/NAME.c is a program around what is in common/, for tests of that which no applet shows
PROBES = $(B)/check/redis-call $(B)/check/resp-fuzz

$(PROBES): $(B)/check/%: $(B)/check/%.o $(OBJECTS)
	$(SAY) LD $@
	$(Q)$(CC) $(SAME) $(CFLAGS) $(LINK) $(LDFLAGS) -o $@ $(filter-out %/box/main.o,$(OBJECTS)) $<

# check/fuzz/NAME.c is a fuzz target: $(B)/fuzz/target/NAME with libFuzzer, $(B)/fuzz/plant/NAME with its planted fault; all of them
# are in $(B)/check/fuzz-replay, which runs files through them without a fuzzer
FUZZ     = $(patsubst check/fuzz/%.c,%,$(wildcard check/fuzz/*.c))
FUZZ_CC ?= clang
FUZZ_B  ?= $(B)/fuzz
FUZZED   = -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
HARNESS  = $(B)/check/fuzz/harness/harness.o
# the calls that check/fuzz/harness/harness.c stands in for
WRAPPED  = $(addprefix -Wl$(comma)--wrap=,exit open open64 speak)
comma    = ,

fuzz:
	+$(Q)$(MAKE) --no-print-directory B=$(FUZZ_B) CC=$(FUZZ_CC) SPAWN=fork HARDEN=-fPIE CFLAGS='$(FUZZED)' fuzz-targets

fuzz-targets: $(FUZZ:%=$(B)/target/%) $(FUZZ:%=$(B)/plant/%)

$(FUZZ:%=$(B)/target/%): $(B)/target/%: $(B)/check/fuzz/%.o
$(FUZZ:%=$(B)/plant/%): $(B)/plant/%: $(B)/plant/%.o
$(FUZZ:%=$(B)/target/%) $(FUZZ:%=$(B)/plant/%): $(HARNESS) $(B)/all.a
	@mkdir -p $(@D)
	$(SAY) LD $@
	$(Q)$(CC) $(SAME) $(CFLAGS) $(LINK) $(LDFLAGS) $(WRAPPED) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(B)/all.a

# of an archive, a target has what it needs
$(B)/all.a: $(OBJECTS)
	$(Q)rm -f $@ && ar qcs $@ $(filter-out %/box/main.o,$^)

$(B)/plant/%.o: check/fuzz/%.c $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -DFUZZ_PLANT -o $@ $<

REPLAYED = $(FUZZ:%=$(B)/replay/%.o)

$(B)/replay/%.o: check/fuzz/%.c $(B)/flags
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(COMPILE) -DLLVMFuzzerTestOneInput=target_$(subst -,_,$*) -o $@ $<

$(B)/fuzz_targets.h: $(wildcard check/fuzz/*.c) Makefile
	@mkdir -p $(@D)
	$(Q)for name in $(FUZZ); do echo "TARGET(\"$$name\", target_$$(echo $$name | tr - _))"; done >$@

$(B)/check/fuzz/harness/replay.o: $(B)/fuzz_targets.h

$(B)/check/fuzz-replay: $(REPLAYED) $(B)/check/fuzz/harness/replay.o $(HARNESS) $(B)/all.a
	$(SAY) LD $@
	$(Q)$(CC) $(SAME) $(CFLAGS) $(LINK) $(LDFLAGS) $(WRAPPED) -o $@ $(filter %.o,$^) $(B)/all.a

helpers: $(HELPERS) $(B)/try-escape $(B)/bench/load $(PROBES) $(B)/check/fuzz-replay

# a new applet; the words come by the environment, where quotes are themselves
applet:
	@sh contrib/applet.sh "$$NAME" "$$SUMMARY" "$$THEME"

demo: all
	sh contrib/demo.sh $(B)/ipcbox

# without the tests tagged long. TESTS=bats/NAME.bats for some files, in whole; JOBS=N for N files at once; BATS_FLAGS
# for bats' own options
test: all helpers
	sh bats/helper/run.sh $(B) $(TESTS)

test-all: all helpers
	ALL=1 sh bats/helper/run.sh $(B)

check: all helpers
	sh check/all.sh $(B)

# what takes longer than the linters of check: gcc -fanalyzer, scan-build, cppcheck's doubts, all main uses under valgrind
analyse: all
	sh check/analyse.sh $(B)

# what of the code the tests run: build/coverage/html; half an hour
coverage: helpers
	sh check/coverage.sh $(B) $(TESTS)

# every system call of every main use fails: an hour; TORTURE='--slice 300' for a part
torture: static
	python3 check/torture.py --build $(B)/static $(TORTURE)

# a million connections, runs, messages, signals: half an hour; SOAK='tcp visits' for a part, SCALE=100 for a hundredth of each
soak: all helpers tools
	sh check/soak.sh $(B) $(SOAK)

# as others build it, elsewhere: PLACES='i386-gcc started' for some
places: all
	sh check/places.sh $(B) $(PLACES)

# every interleaving of the protocols of locks, pidfiles, leases and FIFOs
models:
	sh check/models.sh

# docs/peers.md, from experiments with the programs that it is about; and whether it is still true
peers: all
	sh check/peers.sh $(B) >$(B)/peers.md
	cp $(B)/peers.md docs/peers.md

check-peers: all
	sh check/peers.sh $(B) docs/peers.md

# the programs that the benchmarks load and check with
tools: $(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/*.c))

bench: all
	AGAINST='$(AGAINST)' sh bench/run.sh $(B)

# by the environment: a path may have blanks and quotes
install uninstall: export PREFIX := $(PREFIX)
install uninstall: export DESTDIR := $(DESTDIR)
install uninstall: export LINKS := $(LINKS)
install uninstall: export NAME_PREFIX := $(NAME_PREFIX)

install: all
	@sh contrib/install.sh install $(B) $(filter-out $(INNER),$(APPLETS))

uninstall:
	@sh contrib/install.sh uninstall $(B) $(filter-out $(INNER),$(APPLETS))

clean:
	rm -rf $(B)

help:
	@echo 'make                     build $(B)/ipcbox (version $(VERSION))'
	@echo 'make demo                build, and see the main job live'
	@echo 'make test                run the bats tests except the longest; TESTS=bats/NAME.bats for one file'
	@echo 'make test-all            run all bats tests'
	@echo 'make check               linters, sanitizers, floors, man pages against --help; SLICE=K/N for a part of the files'
	@echo 'make analyse             gcc -fanalyzer, scan-build, cppcheck --inconclusive; every main use under valgrind'
	@echo 'make coverage            lines and branches that the tests run, by clang: $(B)/coverage/html; TESTS=..., TORTURE_SECONDS=N'
	@echo 'make models              every interleaving of the protocols of locks, pidfiles, leases and FIFOs, by spin'
	@echo 'make places              32 bits, new compilers, other machines, flags of packagers, odd starts of the tests'
	@echo 'make soak                a million connections, runs, messages, signals: what is lost, what grows'
	@echo "make torture             every system call of every main use fails; an hour; TORTURE='--slice 300' for a part"
	@echo 'make fuzz                $(B)/fuzz/target/NAME, libFuzzer targets; check/fuzz.sh runs them'
	@echo 'make check-peers         whether docs/peers.md is true of the programs that are installed; make peers writes it;'
	@echo '                         PEERS_ONLY=servers: that part, BUSYBOX=FILE: one that has tcpsvd and udpsvd'
	@echo 'make bench               benchmarks against the peers that are installed; QUICK=1 for few rounds,'
	@echo '                         AGAINST=PATH/ipcbox: against another build instead'
	@echo 'make install             into PREFIX=$(PREFIX), under DESTDIR; make uninstall removes it; LINKS=free|all|none'
	@echo '                         (what becomes of names that are taken), NAME_PREFIX=ipc- (tcpserver as ipc-tcpserver)'
	@echo 'make static              $(B)/static/ipcbox, with musl-gcc'
	@echo 'make one/NAME            $(B)/one/NAME, one applet alone'
	@echo 'make dist                $(B)/dist: a tarball of what is committed, with its checksum; the same bytes everywhere'
	@echo 'make release             $(B)/release: that, and static binaries for several machines; ARCH="aarch64 armhf" for some'
	@echo 'make deb                 $(B)/deb: packages for Debian'
	@echo "make applet              a new applet that passes all checks; NAME=... SUMMARY='...' THEME=signals (CONTRIBUTING.md)"
	@echo 'make docs                $(B)/site: all documents and manual pages as a static site, its links checked'
	@echo 'make clean               remove $(B)/'

-include $(OBJECTS:.o=.d) $(PROBES:=.d) $(REPLAYED:.o=.d) $(HARNESS:.o=.d) $(FUZZ:%=$(B)/check/fuzz/%.d) $(FUZZ:%=$(B)/plant/%.d)
