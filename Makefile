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

.PHONY: all demo test test-all helpers check peers check-peers bench tools install uninstall static clean help FORCE
.DELETE_ON_ERROR:

all: $(B)/ipcbox

$(B)/ipcbox: $(OBJECTS)
	$(SAY) LD $@
	$(Q)$(CC) $(SAME) $(CFLAGS) $(LINK) $(LDFLAGS) -o $@ $^

$(B)/%.o: %.c $(B)/flags | $(B)/registry.h $(B)/completion.h
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(COMPILE) -o $@ $<

# every applet exports one symbol: applet_NAME, with _ for -
$(B)/registry.h: $(wildcard applets/*.c) Makefile
	@mkdir -p $(@D)
	$(Q)printf 'APPLET(applet_%s)\n' $(subst -,_,$(APPLETS)) >$@

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
OZ = $(shell musl-gcc -Oz -E -x c /dev/null >/dev/null 2>&1 && echo -Oz || echo -Os)
SMALL = $(OZ) -flto -flto-partition=one -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables \
  -fno-jump-tables -fno-caller-saves -fno-tree-dominator-opts -fno-tree-sra -fipa-pta

static:
	+$(Q)$(MAKE) --no-print-directory B=$(B)/static CC=musl-gcc HARDEN='-fno-pie -fstack-protector-strong' \
	  CFLAGS='$(SMALL)' \
	  LINK='-static -no-pie -Wl,-z,norelro,-z,noseparate-code,-z,common-page-size=64,--gc-sections,--sort-section=alignment -s' all $(ALSO)

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

helpers: $(HELPERS) $(B)/try-escape $(B)/bench/load

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
	@echo 'make check               linters, sanitizers, floors, man pages against --help'
	@echo 'make check-peers         whether docs/peers.md is true of the programs that are installed; make peers writes it'
	@echo 'make bench               benchmarks against the peers that are installed; QUICK=1 for few rounds,'
	@echo '                         AGAINST=PATH/ipcbox: against another build instead'
	@echo 'make install             into PREFIX=$(PREFIX), under DESTDIR; make uninstall removes it; LINKS=free|all|none'
	@echo '                         (what becomes of names that are taken), NAME_PREFIX=ipc- (tcpserver as ipc-tcpserver)'
	@echo 'make static              $(B)/static/ipcbox, with musl-gcc'
	@echo 'make one/NAME            $(B)/one/NAME, one applet alone'
	@echo 'make clean               remove $(B)/'

-include $(OBJECTS:.o=.d)
