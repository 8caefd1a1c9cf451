# SPDX-License-Identifier: GPL-2.0-or-later
# Tests, from the lowest level up: unit, golden, namespaces, image. docs/testing.md has the budget.

PYTEST := $(if $(SANITIZE),SANITIZE=1) /usr/bin/python3 -m pytest -q -p no:cacheprovider
SUDO   := $(if $(filter-out 0,$(shell id -u)),sudo -E)

.PHONY: test check check-unit check-golden check-netns check-image check-style demo soak fuzz
test: check-style check check-image demo ## everything that checks the project (45 min at most)

check: check-unit check-golden check-netns ## what needs no image (minutes)

check-unit: unit-tests ## unit tests
	@for t in $(UNIT_TESTS); do $$t 2>&1 | tests/unit/brief.sh $${t##*/} || exit 1; done

check-golden: programs test-programs ## config in, exact text out
	@$(PYTEST) tests/golden tests/track

check-netns: programs test-programs ## the programs among namespaces, real clients and servers
	@$(SUDO) $(PYTEST) tests/netns

check-image: image test-programs ## the image in QEMU
	@$(SUDO) $(PYTEST) tests/image

demo: image ## boot the image between simulated sites and prove each promise
	@$(SUDO) /usr/bin/python3 -m tests.demo --board $(BOARD)

soak: image test-programs ## what takes hours: more rounds of everything random
	@GATEPOST_SOAK=1 $(SUDO) $(PYTEST) tests/netns tests/image

# C programs that tests drive: tests/netns/NAME.c, each linked with every archive.
TEST_PROGRAMS := $(patsubst tests/netns/%.c,$(B)/netns/%,$(wildcard tests/netns/*.c))
$(B)/netns/%: $(B)/obj/tests/netns/%.o $(patsubst %,$(B)/%.a,$(ARCHIVES))
	@mkdir -p $(@D)
	@echo "  LD    netns/$*"
	@$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(UNIT_LIBS)
.PHONY: test-programs
test-programs: $(TEST_PROGRAMS)

-include tests/fuzz/fuzz.mk

# ---- style ----

C_FILES = $(shell git ls-files '*.c' '*.h')
check-style: deps ## clang-format, cppcheck, gcc -fanalyzer, and the tree's own rules
	@mk/check-style.sh
