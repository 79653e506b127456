# SPDX-License-Identifier: PostgreSQL
#
# The only build file of pga; `make help` lists the targets.
#
# One tree, several variants. VARIANT says which one a run of make builds, below build/<variant>/:
#   release  musl, static PIE: what people run        fault  the same with named fault points
#   unit     glibc, gcc: unit tests                   asan   glibc, address and undefined sanitizer
#   tsan     glibc, thread sanitizer                  fuzz   clang, libFuzzer
#   clang    glibc, clang: does it compile without a warning, do the unit tests pass
# Every folder of src/ becomes build/<variant>/lib/lib<folder>.a; the libraries are linked from the
# highest layer to the lowest, so an upward call fails at link. Third-party libraries come from
# vendor/build, which keeps them in a cache outside the tree.

PGA_VERSION := 0.1.0
VARIANT     ?= release
JOBS        ?= $(shell nproc)
V           ?= 0
export SOURCE_DATE_EPOCH ?= 1790000000
export LC_ALL := C.UTF-8

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -ec
.SUFFIXES:
.DELETE_ON_ERROR:
Q := $(if $(filter 1,$(V)),,@)

CC := gcc
B := build/$(VARIANT)

# --- what is in the tree -------------------------------------------------------------------------

# Layers from high to low; the order of linking. app is left out of unit tests.
FOLDERS := app api probe store promql alert check spool sqldb httpd httpc model pgclient tls conf os base
sources  = $(sort $(wildcard src/$1/*.c src/$1/*/*.c src/$1/*/*/*.c))
objects  = $(patsubst src/%.c,$(B)/obj/%.o,$(call sources,$1))
USED    := $(strip $(foreach f,$(FOLDERS),$(if $(call sources,$f),$f)))
library  = $(B)/lib/lib$1.a

# Which folder may see the headers of which library (vendor/README.md).
VENDOR_OF_base     := yyjson libdeflate zstd pcre2
VENDOR_OF_pgclient := libpq
VENDOR_OF_tls      := mbedtls argon2
VENDOR_OF_sqldb    := sqlite
VENDOR_OF_httpd    := civetweb
VENDOR_OF_httpc    := curl
# Order of building (the longest first) and of linking (users before what they use).
VENDOR      := sqlite libpq mbedtls curl zstd pcre2 civetweb yyjson libdeflate argon2
VENDOR_HAVE := $(foreach l,$(VENDOR),$(if $(wildcard vendor/$l/rule.mk),$l))
VENDOR_LINK := $(filter $(VENDOR_HAVE),curl civetweb libpq mbedtls argon2 sqlite yyjson libdeflate zstd pcre2)
vendor_a     = $(B)/vendor/$1/lib/lib$1.a
vendor_of    = $(filter $(VENDOR_HAVE),$(VENDOR_OF_$1))

# --- how each variant is compiled ----------------------------------------------------------------

MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)
ARCH    := $(firstword $(subst -, ,$(MACHINE)))
HARD    := -fstack-protector-strong -fstack-clash-protection \
           $(if $(filter x86_64,$(ARCH)),-fcf-protection,-mbranch-protection=standard)
SPECS   := build/musl.specs

VENDOR_VARIANT_release := musl
VENDOR_VARIANT_fault   := musl
VENDOR_VARIANT_unit    := glibc
VENDOR_VARIANT_asan    := asan
VENDOR_VARIANT_tsan    := tsan
VENDOR_VARIANT_fuzz    := fuzz
VENDOR_VARIANT_clang   := glibc
VV := $(VENDOR_VARIANT_$(VARIANT))
$(if $(VV),,$(error unknown VARIANT $(VARIANT)))

# Flags shared by our code and the libraries: compiler and instrumentation.
CC_musl   := gcc -specs=$(SPECS)
CC_glibc  := gcc
CC_asan   := gcc
CC_tsan   := gcc
CC_fuzz   := clang
BASE_musl  := -O2 -fPIE $(HARD)
BASE_glibc := -O1 $(HARD) -D_FORTIFY_SOURCE=2
BASE_asan  := -O1 -g -fno-omit-frame-pointer -fsanitize=address
BASE_tsan  := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
BASE_fuzz  := -O1 -g -fno-omit-frame-pointer -fsanitize=address,fuzzer-no-link
LINK_musl  :=
LINK_glibc := -Wl,-z,relro,-z,now
LINK_asan  := -fsanitize=address,undefined
LINK_tsan  := -fsanitize=thread
LINK_fuzz  := -fsanitize=address,undefined
CC_L   := $(CC_$(VV))
CC_V   := $(if $(filter clang,$(VARIANT)),clang,$(CC_L))
LINK_V := $(LINK_$(VV)) -pthread

# Flags of our code alone.
# gcc's warnings about values are wrong in instrumented code (its manual says so); unit, release and
# clang still have them all.
CALM := -Wno-format-truncation -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-stringop-truncation
OWN_release :=
OWN_fault   := -DPGA_FAULTS
OWN_unit    := -DPGA_FAULTS
OWN_asan    := -DPGA_FAULTS -fsanitize=undefined -fno-sanitize-recover=all $(CALM)
OWN_tsan    := -DPGA_FAULTS $(CALM)
OWN_clang   := -DPGA_FAULTS
OWN_fuzz    := -DPGA_FAULTS -fsanitize=undefined -fno-sanitize-recover=all
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
CFLAGS_V := -std=c17 $(WARN) -D_GNU_SOURCE -DPGA_VERSION='"$(PGA_VERSION)"' \
            $(BASE_$(VV)) $(OWN_$(VARIANT)) -g -pthread -fno-common -ffunction-sections \
            -ffile-prefix-map=$(CURDIR)=. -Isrc
BANNED   := $(if $(wildcard src/base/banned.h),-include base/banned.h)
inc_of = $(foreach l,$(call vendor_of,$1),-isystem $(B)/vendor/$l/include)
# musl has no linux/*.h; the one file that needs them may look into the system's folders last.
SYSTEM_HEADERS := -idirafter /usr/include -idirafter /usr/include/$(ARCH)-linux-gnu
CFLAGS_FILE_sandbox_linux := $(if $(filter musl,$(VV)),$(SYSTEM_HEADERS))
INC_TEST := $(foreach l,$(VENDOR_HAVE),-isystem $(B)/vendor/$l/include)

C_FILES = $(sort $(shell find src tests -name '*.[ch]'))

# The flags of one folder of src/, for editors and tests/lint: make -s print-cflags-store
print-cflags-%:
	$(info $(CFLAGS_V) $(BANNED) $(call inc_of,$*))@:

# --- targets for people --------------------------------------------------------------------------

PREFIX  ?= /usr/local
DESTDIR ?=
TIME    ?= 60
CACHE   := $(or $(PGA_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pga)
# What the executable writes about itself when it is installed.
SHARE        = $(DESTDIR)$(PREFIX)/share
MANUAL       = pga.1 pga-agent.8 pga-agent.toml.5 pga-ctl.1 pga-demo.1 pga-migrate.8 \
    pga-server.8 pga-server.toml.5
INSTALL_MADE = man/man1 man/man5 man/man8 bash-completion/completions zsh/site-functions fish/vendor_completions.d
SYMLINKS := pga-agent pga-ctl pga-demo pga-migrate pga-server
DIST    := pga-$(PGA_VERSION)
LOUD_ENV := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL

.PHONY: help build fault deps demo test full lint libs unit promql unit-asan unit-tsan unit-clang asan scenario-asan tsan fuzz \
    fuzz-replay bench web web-check vendor format format-check install uninstall dist sbom docs \
    pictures clean
help: ## this list
	@awk -F'## ' '/^[a-z-]+:.*## /{split($$1,a,":"); printf "  %-14s %s\n", a[1], $$2}' Makefile

build: web ## the executable: build/release/pga
	$(Q)+$(MAKE) VARIANT=release _binary

# The tests look at the user interface in a browser.
test full: export BROWSER := 1
deps: ## install what the build and the tests need (apt; sudo when not root)
	$(Q)vendor/deps

demo: deps ## build, then run a server and an agent on a private PostgreSQL under load
	$(Q)+$(MAKE) build
	$(Q)exec build/release/pga demo $(DEMO)

test: deps ## unit (also under sanitizers), corpus replay, golden and scenario tests
	$(Q)$(LOUD_ENV) tests/all.sh

full: deps ## everything: lint, test, clang, thread sanitizer, fuzzing, long scenarios, dist twice
	$(Q)$(LOUD_ENV) tests/all.sh --full

lint: deps ## all checks of tests/lint
	$(Q)+$(MAKE) VARIANT=unit _vendor
	$(Q)+$(if $(wildcard web/package.json),$(MAKE) web/node_modules/.package-lock.json)
	$(Q)$(LOUD_ENV) tests/lint/run.sh

libs: ## compile every folder of src/ in one variant, without linking (VARIANT=unit)
	$(Q)+$(MAKE) VARIANT=$(if $(filter command line environment,$(origin VARIANT)),$(VARIANT),unit) _libs

unit: ## unit tests with gcc and glibc; T=arena runs tests/unit/test_arena.c alone
	$(Q)+$(MAKE) VARIANT=unit _unit

promql: ## the cases of tests/promql (VARIANT=unit)
	$(Q)+$(MAKE) VARIANT=$(if $(filter command line environment,$(origin VARIANT)),$(VARIANT),unit) _promql

unit-asan: ## unit tests under the address and undefined behaviour sanitizers
	$(Q)+$(MAKE) VARIANT=asan _unit

unit-tsan: ## unit tests under the thread sanitizer
	$(Q)+PGA_UNIT_TIMEOUT=1200 $(MAKE) VARIANT=tsan _unit

unit-clang: ## unit tests compiled by clang
	$(Q)+$(MAKE) VARIANT=clang _unit

fault: ## build/fault/pga: the release build with named fault points
	$(Q)+$(MAKE) VARIANT=fault _binary

asan: unit-asan scenario-asan ## unit and scenario tests with the address and undefined behaviour sanitizers

scenario-asan: ## the scenarios alone, with those sanitizers
	$(Q)+$(MAKE) VARIANT=asan _binary
	$(Q)PGA=$(CURDIR)/build/asan/pga PGA_FAULTY=$(CURDIR)/build/asan/pga PGA_SLOW=3 \
	    $(LOUD_ENV) tests/scenario/run.sh

tsan: unit-tsan ## unit and scenario tests with the thread sanitizer
	$(Q)+$(MAKE) VARIANT=tsan _binary
	$(Q)PGA=$(CURDIR)/build/tsan/pga PGA_FAULTY=$(CURDIR)/build/tsan/pga PGA_SLOW=5 \
	    $(LOUD_ENV) tests/scenario/run.sh

fuzz: ## libFuzzer on every parser, TIME=60 seconds each
	$(Q)+$(MAKE) VARIANT=fuzz _fuzz

fuzz-replay: ## the corpus of every parser once, under the sanitizers
	$(Q)+$(MAKE) VARIANT=asan _replay

bench: build ## figures of tests/bench, one line each
	$(Q)+$(MAKE) VARIANT=release _bench
	$(Q)$(LOUD_ENV) tests/bench/run.sh

web: $(if $(wildcard web/package.json),web/dist/index.html) ## the user interface: web/dist

web-check: web/node_modules/.package-lock.json ## types and tests of the user interface
	$(Q)cd web && npm run --silent check

vendor: ## the third-party libraries of one variant (VARIANT=release)
	$(Q)+$(MAKE) VARIANT=$(VARIANT) _vendor

pictures: build ## the pictures of the guide again: a demo, minutes of load, a browser
	$(Q)BROWSER=1 vendor/deps
	$(Q)$(LOUD_ENV) tests/browser/pictures.sh

CLANG_FORMAT = $(shell vendor/fetch clang-format)/bin/linux_x64/clang-format
docs: build ## the generated pages of packaging/doc
	$(Q)for applet in agent server; do \
	    build/release/pga $$applet --config-reference > packaging/doc/config-$$applet.md; done
	$(Q)build/release/pga agent --source-reference > packaging/doc/relations.md

format: ## clang-format on all C files
	$(Q)git ls-files 'src/*.[ch]' 'tests/*.[ch]' | xargs $(CLANG_FORMAT) -i

format-check: ## fails when clang-format would change a C file
	$(Q)git ls-files 'src/*.[ch]' 'tests/*.[ch]' | xargs $(CLANG_FORMAT) --dry-run -Werror

# A file that names where the others are.
install_place = mkdir -p $(DESTDIR)$(PREFIX)/$(dir $2) && sed 's,@BIN@,$(PREFIX)/bin,; \
    s,@DOC@,$(PREFIX)/share/doc/pga,; s,@SHARE@,$(PREFIX)/share,' $1 > $(DESTDIR)$(PREFIX)/$2 && \
    chmod 644 $(DESTDIR)$(PREFIX)/$2

install: ## copy the executable and its documents below $(DESTDIR)$(PREFIX)
	$(Q)test -x build/release/pga || { echo "make build first" >&2; exit 1; }
	$(Q)install -D -m 755 build/release/pga $(DESTDIR)$(PREFIX)/bin/pga
	$(Q)for name in $(SYMLINKS); do ln -sfn pga $(DESTDIR)$(PREFIX)/bin/$$name; done
	$(Q)install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/pga/LICENSE
	$(Q)for doc in packaging/doc/*.md; do [ ! -e "$$doc" ] || \
	    install -D -m 644 "$$doc" $(DESTDIR)$(PREFIX)/share/doc/pga/$${doc##*/}; done
	$(Q)for picture in packaging/doc/pictures/*.png; do [ ! -e "$$picture" ] || \
	    install -D -m 644 "$$picture" $(DESTDIR)$(PREFIX)/share/doc/pga/pictures/$${picture##*/}; done
	$(Q)install -d $(INSTALL_MADE:%=$(SHARE)/%)
	$(Q)for page in $(MANUAL); do \
	    build/release/pga manual $$page > $(SHARE)/man/man$${page##*.}/$$page || exit 1; done
	$(Q)build/release/pga ctl completion bash > $(SHARE)/bash-completion/completions/pga
	$(Q)build/release/pga ctl completion zsh > $(SHARE)/zsh/site-functions/_pga
	$(Q)build/release/pga ctl completion fish > $(SHARE)/fish/vendor_completions.d/pga.fish
	$(Q)for library in $(VENDOR_HAVE); do install -D -m 644 build/release/vendor/$$library/LICENSE \
	    $(DESTDIR)$(PREFIX)/share/doc/pga/licences/$$library; done
	$(Q)for name in server agent; do \
	    install -D -m 644 packaging/etc/$$name.toml $(DESTDIR)$(PREFIX)/share/pga/$$name.toml; \
	    $(call install_place,packaging/systemd/pga-$$name.service.in,lib/systemd/system/pga-$$name.service); done
	$(Q)install -D -m 644 packaging/systemd/pga.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/pga.conf
	$(Q)$(call install_place,packaging/systemd/pga.tmpfiles.in,lib/tmpfiles.d/pga.conf)

uninstall: ## remove what install copied
	$(Q)rm -f $(foreach n,pga $(SYMLINKS),$(DESTDIR)$(PREFIX)/bin/$n)
	$(Q)rm -f $(foreach n,$(MANUAL),$(SHARE)/man/man$(lastword $(subst ., ,$n))/$n)
	$(Q)rm -f $(SHARE)/bash-completion/completions/pga \
	    $(SHARE)/zsh/site-functions/_pga $(SHARE)/fish/vendor_completions.d/pga.fish
	$(Q)rm -f $(foreach n,lib/systemd/system/pga-server.service lib/systemd/system/pga-agent.service \
	    lib/sysusers.d/pga.conf lib/tmpfiles.d/pga.conf,$(DESTDIR)$(PREFIX)/$n)
	$(Q)rm -rf $(DESTDIR)$(PREFIX)/share/doc/pga $(DESTDIR)$(PREFIX)/share/pga

dist: web ## reproducible tarball with the third-party sources and the built user interface
	$(Q)vendor/fetch --archives build/dist/archive $(VENDOR_HAVE) >/dev/null
	$(Q)vendor/dist $(DIST) build/dist

sbom: ## bill of materials (CycloneDX JSON) from the pins: build/sbom.cdx.json
	$(Q)mkdir -p build
	$(Q)vendor/sbom $(PGA_VERSION) > build/sbom.cdx.json
	$(Q)echo build/sbom.cdx.json

clean: ## remove build/ (the cache of libraries outside the tree stays)
	$(Q)rm -rf build

# Asked by tests/lint: how the files of a folder are compiled.
print-cflags-%:
	@echo '$(subst ','\'',$(CFLAGS_V) $(if $(filter tool,$*),,$(BANNED)) $(call inc_of,$*))'

# --- the user interface --------------------------------------------------------------------------

WEB_SOURCES := $(if $(wildcard web/package.json),$(shell find web -type f -not -path '*/node_modules/*' \
    -not -path 'web/dist/*' -not -path 'web/test/*'))
web/node_modules/.package-lock.json: web/package-lock.json web/package.json
	$(Q)command -v npm >/dev/null || { echo "npm is missing: make deps" >&2; exit 1; }
	$(Q)cd web && npm ci --cache $(CACHE)/npm --no-audit --no-fund --loglevel=error
	$(Q)touch $@
# Order-only: a release tarball carries web/dist, newer than no source, and needs no npm.
web/dist/index.html: $(WEB_SOURCES)
	$(Q)+$(MAKE) web/node_modules/.package-lock.json
	$(Q)cd web && npm run --silent build
	$(Q)touch $@

# --- one variant ---------------------------------------------------------------------------------

.PHONY: _bench _binary _libs _unit _vendor _fuzz _promql _replay
_vendor: $(VENDOR_HAVE:%=$(B)/vendor/%.stamp)
_libs: $(foreach f,$(USED),$(call library,$f)) $(B)/lib/libembed.a
_binary: $(B)/pga $(B)/toml-decode $(B)/promql-test $(B)/promql-dump $(B)/pq-tls
_bench: $(B)/codec-bench $(B)/month-bench $(B)/objects-bench

$(SPECS): vendor/musl.specs.in
	$(Q)mkdir -p $(@D)
	$(Q)sed 's/@MUSL@/$(ARCH)-linux-musl/g' $< > $@.$$$$ && mv $@.$$$$ $@

# vendor/build answers from the cache or builds; the stamp changes only when its inputs did.
$(B)/vendor/%.stamp: vendor/build vendor/fetch vendor/lib.mk $(if $(filter musl,$(VV)),$(SPECS))
	$(Q)mkdir -p $(@D)
	$(Q)+CC="$(CC_L)" CFLAGS="$(BASE_$(VV))" vendor/build $* $(VV) $(@D)/$*
	$(Q)touch $@
$(foreach l,$(VENDOR_HAVE),$(eval $(B)/vendor/$l.stamp: $(shell find vendor/$l -type f)))
$(B)/vendor/curl.stamp $(B)/vendor/libpq.stamp: $(B)/vendor/mbedtls.stamp
$(foreach l,$(VENDOR_HAVE),$(eval $(call vendor_a,$l): $(B)/vendor/$l.stamp ;))

# Our folders. An object waits only for the libraries whose headers its folder may see.
define folder_rules
$(call objects,$1): $(B)/obj/%.o: src/%.c $(foreach l,$(call vendor_of,$1),$(B)/vendor/$l.stamp) $(B)/flags
	$$(Q)mkdir -p $$(@D)
	$$(Q)echo "CC $$<"; $(CC_V) $(CFLAGS_V) $(BANNED) $(call inc_of,$1) $$(CFLAGS_FILE_$$(*F)) -MMD -MP -c $$< -o $$@
$(call library,$1): $(call objects,$1)
	$$(Q)mkdir -p $$(@D)
	$$(Q)rm -f $$@; ar qcsD $$@ $$^
endef
$(foreach f,$(USED),$(eval $(call folder_rules,$f)))

$(B)/obj/main.o: src/main.c $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)echo "CC $<"; $(CC_V) $(CFLAGS_V) $(BANNED) -MMD -MP -c $< -o $@

# Objects are compiled again when the flags change.
.PHONY: _always
$(B)/flags: _always $(if $(filter musl,$(VV)),$(SPECS))
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' '$(subst ','\'',$(CC_V) $(CFLAGS_V) $(LINK_V))' | cmp -s - $@ || \
	    printf '%s\n' '$(subst ','\'',$(CC_V) $(CFLAGS_V) $(LINK_V))' > $@

# Embedded files: tables written by a host program, bytes taken in by the assembler.
EMBED_catalogue := $(sort $(wildcard src/probe/catalogue/*.toml))
EMBED_sql       := $(sort $(wildcard src/store/sql/*.sql src/store/tsdb/sql/*.sql src/app/demo/sql/*.sql))
EMBED_migration := $(sort $(wildcard src/store/migrations/*.sql))
EMBED_web       := $(sort $(shell find web/dist -type f 2>/dev/null))
# Of every library that is linked in, and of musl; those of the user interface are in web/dist.
MUSL_LICENCE := $(firstword $(wildcard /usr/share/doc/musl/copyright /usr/share/doc/musl-dev/copyright))
EMBED_licence   := $(addprefix $(B)/gen/licence/,pga $(VENDOR_HAVE) $(if $(MUSL_LICENCE),musl))
EMBED_TABLES    := catalogue sql migration web licence
$(B)/gen/licence/pga: LICENSE
$(B)/gen/licence/musl: $(MUSL_LICENCE)
$(foreach l,$(VENDOR_HAVE),$(eval $(B)/gen/licence/$l: $(B)/vendor/$l.stamp))
$(EMBED_licence):
	$(Q)mkdir -p $(@D)
	$(Q)cp $(if $(filter %.stamp,$<),$(B)/vendor/$(@F)/LICENSE,$<) $@
build/tool/embed: src/tool/embed.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -O1 $(WARN) -D_GNU_SOURCE $< -o $@
# A removed file must be noticed as well: the list is part of the dependencies.
$(B)/gen/embed_%.list: _always
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' '$(EMBED_$*)' | cmp -s - $@ || printf '%s\n' '$(EMBED_$*)' > $@
define embed_rules
$(B)/gen/embed_$1.c: build/tool/embed $(EMBED_$1) $(B)/gen/embed_$1.list
	$$(Q)build/tool/embed $(if $(filter web,$1),web,text) embed_$1 $$@ $(if $(filter web,$1),web/dist,$(EMBED_$1))
endef
$(foreach t,$(EMBED_TABLES),$(eval $(call embed_rules,$t)))
.SECONDARY: $(EMBED_TABLES:%=$(B)/gen/embed_%.c)
$(B)/obj/gen/embed_%.o: $(B)/gen/embed_%.c src/base/embed.h $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)$(CC_V) $(CFLAGS_V) -c $< -o $@
$(B)/lib/libembed.a: $(EMBED_TABLES:%=$(B)/obj/gen/embed_%.o)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@; ar qcsD $@ $^

LIBS_UNIT := $(foreach f,$(filter-out app,$(USED)),$(call library,$f)) $(B)/lib/libembed.a
VENDOR_A  := $(foreach l,$(VENDOR_LINK),$(call vendor_a,$l))

$(B)/pga: $(B)/obj/main.o $(foreach f,$(USED),$(call library,$f)) $(B)/lib/libembed.a $(VENDOR_A)
	$(Q)echo "LD $@"
	$(Q)$(CC_V) $(CFLAGS_V) $(LINK_V) -Wl,--gc-sections $^ -lm -o $@.full
	$(Q)$(if $(filter musl,$(VV)),strip -o $@.tmp $@.full && mv $@.tmp $@,cp $@.full $@)
	$(Q)for name in $(SYMLINKS); do ln -sfn pga $(B)/$$name; done

# What the public TOML test suite asks for: TOML in, tagged JSON out.
$(B)/obj/toml_decode.o: tests/tool/toml_decode.c $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)$(CC_V) $(CFLAGS_V) -MMD -MP -c $< -o $@
$(B)/toml-decode: $(B)/obj/toml_decode.o $(call library,conf) $(call library,base) \
    $(foreach l,$(VENDOR_OF_base),$(call vendor_a,$l))
	$(Q)$(CC_V) $(CFLAGS_V) $(LINK_V) -Wl,--gc-sections $^ -lm -o $@

# Our libpq alone, for tests/tool/pg_tls.py.
$(B)/obj/pq_tls.o: tests/tool/pq_tls.c $(B)/vendor/libpq.stamp $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)$(CC_V) $(CFLAGS_V) -isystem $(B)/vendor/libpq/include -MMD -MP -c $< -o $@
$(B)/pq-tls: $(B)/obj/pq_tls.o $(call vendor_a,libpq) $(call vendor_a,mbedtls)
	$(Q)echo "LD $@"
	$(Q)$(CC_V) $(CFLAGS_V) $(LINK_V) -Wl,--gc-sections $^ -lm -o $@

# Bytes and speed of the codec of the store, for tests/bench.
$(B)/obj/codec_bench.o: tests/bench/codec_bench.c $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)$(CC_V) $(CFLAGS_V) -MMD -MP -c $< -o $@
$(B)/codec-bench: $(B)/obj/codec_bench.o $(LIBS_UNIT) $(VENDOR_A)
	$(Q)$(CC_V) $(CFLAGS_V) $(LINK_V) -Wl,--gc-sections $^ -lm -o $@

# What the names of the store take in memory.
$(B)/obj/objects_bench.o: tests/bench/objects_bench.c $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)$(CC_V) $(CFLAGS_V) -MMD -MP -c $< -o $@
$(B)/objects-bench: $(B)/obj/objects_bench.o $(LIBS_UNIT) $(VENDOR_A)
	$(Q)$(CC_V) $(CFLAGS_V) $(LINK_V) -Wl,--gc-sections $^ -lm -o $@

# A store through months of a clock of its own, for tests/bench; its life is that of a unit test.
MONTH_O := $(patsubst %,$(B)/obj/%.o,month month_store tsdb_clock)
$(B)/obj/month.o: tests/bench/month.c $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)$(CC_V) $(CFLAGS_V) -Itests/unit -MMD -MP -c $< -o $@
$(B)/obj/month_store.o $(B)/obj/tsdb_clock.o: $(B)/obj/%.o: tests/unit/%.c $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)$(CC_V) $(CFLAGS_V) -Itests/unit -MMD -MP -c $< -o $@
$(B)/month-bench: $(MONTH_O) $(LIBS_UNIT) $(VENDOR_A)
	$(Q)$(CC_V) $(CFLAGS_V) $(LINK_V) -Wl,--gc-sections $^ -lm -o $@

# Scripts in the format of Prometheus's own tests of PromQL, against promql/: promql-test FILE...
PROMQL_TEST_O := $(patsubst tests/promql/%.c,$(B)/obj/promql_test/%.o,$(sort $(wildcard tests/promql/*.c)))
$(PROMQL_TEST_O): $(B)/obj/promql_test/%.o: tests/promql/%.c $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)echo "CC $<"; $(CC_V) $(CFLAGS_V) -Itests/promql -MMD -MP -c $< -o $@
$(B)/promql-test: $(PROMQL_TEST_O) $(foreach f,promql model os base,$(call library,$f)) \
    $(foreach l,$(VENDOR_OF_base),$(call vendor_a,$l))
	$(Q)echo "LD $@"
	$(Q)$(CC_V) $(CFLAGS_V) $(LINK_V) -Wl,--gc-sections $^ -lm -o $@
_promql: $(B)/promql-test
	$(Q)tests/promql/run.sh $<

# What tests/tool/promql_compare.py asks beside Prometheus.
$(B)/obj/promql_dump.o: tests/tool/promql_dump.c $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)$(CC_V) $(CFLAGS_V) -Itests/unit -MMD -MP -c $< -o $@
$(B)/obj/series_fixture.o: tests/unit/series_fixture.c $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)$(CC_V) $(CFLAGS_V) -Itests/unit -MMD -MP -c $< -o $@
$(B)/promql-dump: $(B)/obj/promql_dump.o $(B)/obj/series_fixture.o \
    $(foreach f,promql model conf os base,$(call library,$f)) \
    $(foreach l,$(VENDOR_OF_base),$(call vendor_a,$l))
	$(Q)$(CC_V) $(CFLAGS_V) $(LINK_V) -Wl,--gc-sections $^ -lm -o $@

# --- unit tests ----------------------------------------------------------------------------------

# tests/unit, and tests/fault, where every file operation of a scenario fails once.
TESTS := $(sort $(wildcard tests/unit/test_*.c tests/fault/test_*.c))
TESTS_T := $(wildcard tests/unit/test_$(T).c tests/fault/test_$(T).c)
$(if $(T),$(if $(TESTS_T),,$(error no tests/unit/test_$(T).c)))
TEST_BIN := $(patsubst %.c,$(B)/test/%,$(notdir $(if $(T),$(TESTS_T),$(TESTS))))
TEST_SUPPORT := $(filter-out $(TESTS),$(sort $(wildcard tests/unit/*.c tests/fault/*.c)))
TEST_SUPPORT_O := $(patsubst %.c,$(B)/test/support/%.o,$(notdir $(TEST_SUPPORT)))
vpath %.c tests/unit tests/fault
$(B)/test/test_%.o: test_%.c $(VENDOR_HAVE:%=$(B)/vendor/%.stamp) $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)echo "CC $<"; $(CC_V) $(CFLAGS_V) -Itests/unit -Itests/fault $(INC_TEST) -MMD -MP -c $< -o $@
$(B)/test/support/%.o: %.c $(VENDOR_HAVE:%=$(B)/vendor/%.stamp) $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)echo "CC $<"; $(CC_V) $(CFLAGS_V) -Itests/unit -Itests/fault $(INC_TEST) -MMD -MP -c $< -o $@
$(B)/test/%: $(B)/test/%.o $(TEST_SUPPORT_O) $(LIBS_UNIT) $(VENDOR_A)
	$(Q)$(CC_V) $(LINK_V) $^ -lcmocka -lm -o $@
.SECONDARY: $(patsubst %.c,$(B)/test/%.o,$(notdir $(TESTS)))
_unit: $(TEST_BIN)
	$(Q)tests/unit/run.sh $(sort $(TEST_BIN))

# --- fuzzing: tests/fuzz/fuzz_<parser>.c, corpus in tests/fuzz/corpus/<parser>/ -------------------

FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
$(B)/fuzz/%.o: tests/fuzz/%.c $(VENDOR_HAVE:%=$(B)/vendor/%.stamp) $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)echo "CC $<"; $(CC_V) $(CFLAGS_V) $(INC_TEST) -MMD -MP -c $< -o $@
$(B)/fuzz/replay.o: src/tool/replay.c $(B)/flags
	$(Q)mkdir -p $(@D)
	$(Q)$(CC_V) $(CFLAGS_V) -MMD -MP -c $< -o $@
$(B)/fuzz/fuzz_%: $(B)/fuzz/fuzz_%.o $(LIBS_UNIT) $(VENDOR_A)
	$(Q)$(CC_V) $(LINK_V) -fsanitize=fuzzer $^ -lm -o $@
$(B)/fuzz/replay_%: $(B)/fuzz/fuzz_%.o $(B)/fuzz/replay.o $(LIBS_UNIT) $(VENDOR_A)
	$(Q)$(CC_V) $(LINK_V) $^ -lm -o $@
.SECONDARY: $(FUZZERS:%=$(B)/fuzz/fuzz_%.o) $(B)/fuzz/replay.o
_fuzz: $(FUZZERS:%=$(B)/fuzz/fuzz_%)
	$(Q)for name in $(FUZZERS); do mkdir -p $(B)/fuzz/found/$$name tests/fuzz/corpus/$$name; \
	    $(B)/fuzz/fuzz_$$name -max_total_time=$(TIME) -artifact_prefix=$(B)/fuzz/ \
	        $(B)/fuzz/found/$$name tests/fuzz/corpus/$$name || exit 1; done
_replay: $(FUZZERS:%=$(B)/fuzz/replay_%)
	$(Q)passed=0; failed=0; for name in $(FUZZERS); do \
	    if $(B)/fuzz/replay_$$name tests/fuzz/corpus/$$name; then passed=$$((passed + 1)); \
	    else echo "FAILED corpus of $$name"; failed=$$((failed + 1)); fi; done; \
	    echo "$$passed passed, $$failed failed"; [ $$failed -eq 0 ]

-include $(wildcard $(B)/fuzz/*.d $(B)/obj/*.d $(B)/obj/*/*.d $(B)/obj/*/*/*.d $(B)/obj/*/*/*/*.d $(B)/test/*.d $(B)/test/support/*.d)
