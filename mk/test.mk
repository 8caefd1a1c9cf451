# SPDX-License-Identifier: GPL-2.0-or-later
# Tests, from the lowest level up: unit, golden, namespaces, image. docs/testing.md has the budget.

PYTEST := /usr/bin/python3 -m pytest -q -p no:cacheprovider

.PHONY: check-unit
check-unit: unit-tests ## unit tests
	@for t in $(UNIT_TESTS); do echo "  TEST  $${t##*/}"; $$t || exit 1; done
