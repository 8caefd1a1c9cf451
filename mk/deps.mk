# SPDX-License-Identifier: GPL-2.0-or-later
# What the machine needs: mk/host-packages.list, installed by apt when something is missing.

HOST_PACKAGES := mk/host-packages.list
DEPS_STAMP    := $(O)/.deps-$(shell sha256sum $(HOST_PACKAGES) | cut -c1-12)
CACHE         := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/gatepost

.PHONY: deps
deps: $(DEPS_STAMP)
$(DEPS_STAMP): $(HOST_PACKAGES) mk/install-deps.sh
	@mk/install-deps.sh $(HOST_PACKAGES)
	@mkdir -p $(@D); rm -f $(O)/.deps-*; touch $@
