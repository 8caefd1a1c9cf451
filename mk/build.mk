# SPDX-License-Identifier: GPL-2.0-or-later
# The C programs. A folder is an archive; a program is a main.c and the archives it may use.
# New files are found by their folder: nothing is listed twice.

B := $(O)/build$(if $(SANITIZE),-sanitize)

CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
CFLAGS  := -std=c11 -D_GNU_SOURCE -O2 -g -I. -isystem /usr/include/lwip -MMD -MP \
	   -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	   -Wno-missing-field-initializers \
	   -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection \
	   -fno-strict-aliasing -ffile-prefix-map=$(CURDIR)=.
LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
ifneq ($(SANITIZE),)
CFLAGS  += -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
else
CFLAGS  += -D_FORTIFY_SOURCE=2
endif

sources = $(filter-out %/main.c,$(wildcard $(1)/*.c $(1)/*/*.c))
objects = $(patsubst %.c,$(B)/obj/%.o,$(1))

ARCHIVES := lib model fwrules gateway cli console update relay
define archive
$(B)/$(1).a: $(call objects,$(call sources,$(1)))
	@mkdir -p $$(@D); rm -f $$@; ar rcsD $$@ $$^
endef
$(foreach a,$(ARCHIVES),$(eval $(call archive,$(a))))

# program: its main, the archives in link order, the libraries.
LIBS_gatepost-relay := -lev -ljansson -lmbedtls -lmbedx509 -lmbedcrypto -lseccomp -lcap -lcrypt \
		       -llmdb -lsqlite3 -lunbound -lopendkim -lcrypto -lmnl -lm
LIBS_gatepost-track := $(LIBS_gatepost-relay)
LIBS_gatepostd      := -lyang -lnftnl -lmnl -lev -ljansson -lmbedtls -lmbedx509 -lmbedcrypto \
		       -lcrypt -lcap
LIBS_gatepost-rescue := -ljansson
LIBS_gatepost       := -lyang -ledit -ljansson -lz
LIBS_gatepost-syslog :=
LIBS_gatepost-console := -llwip -lmnl -lseccomp -lcap

MAIN_gatepost-relay := relay/main.c
MAIN_gatepost-track := relay/track/main.c
MAIN_gatepostd      := gateway/main.c
MAIN_gatepost-rescue := gateway/rescue/main.c
MAIN_gatepost       := cli/main.c
MAIN_gatepost-syslog := gateway/syslog/main.c
MAIN_gatepost-console := console/main.c

USES_gatepost-relay := relay lib
USES_gatepost-track := relay lib
USES_gatepostd      := gateway fwrules model lib
USES_gatepost-rescue := gateway lib
USES_gatepost       := cli model lib
USES_gatepost-syslog := gateway lib
USES_gatepost-console := console lib

# A program whose main is not there yet is left out.
PROGRAMS := $(foreach p,gatepost-relay gatepost-track gatepostd gatepost-rescue gatepost \
	gatepost-syslog gatepost-console,$(if $(wildcard $(MAIN_$(p))),$(p)))

define program
$(B)/bin/$(1): $(call objects,$(MAIN_$(1))) $(patsubst %,$(B)/%.a,$(USES_$(1)))
	@mkdir -p $$(@D)
	@echo "  LD    $(1)"
	@$(CC) $(LDFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(LIBS_$(1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

$(B)/obj/%.o: %.c | deps
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -c -o $@ $<

# Unit tests: tests/unit/NAME_test.c, linked with every archive; none needs root or a network.
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*_test.c))
UNIT_LIBS  := -lcmocka $(LIBS_gatepost-relay) -lyang -lnftnl -lmnl -ledit -lz -lutil -llwip
$(B)/unit/%: $(B)/obj/tests/unit/%.o $(patsubst %,$(B)/%.a,$(ARCHIVES))
	@mkdir -p $(@D)
	@echo "  LD    unit/$*"
	@$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(UNIT_LIBS)

.PHONY: programs unit-tests
programs: $(patsubst %,$(B)/bin/%,$(PROGRAMS)) ## the programs alone, for this machine
unit-tests: $(UNIT_TESTS)

.SECONDARY:
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
