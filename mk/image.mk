# SPDX-License-Identifier: GPL-2.0-or-later
# The image of one board: output/images/BOARD holds bzImage, rootfs.squashfs, manifest.txt and the
# board's data, everything that it takes to boot it. mk/kernel.mk makes the kernel.

BOARDS := $(notdir $(wildcard board/*))
ifeq ($(filter $(BOARD),$(BOARDS)),)
$(error BOARD=$(BOARD) is not one of: $(BOARDS))
endif

IMAGES     := $(O)/images
IMAGE      := $(IMAGES)/$(BOARD)
ROOT       := $(O)/root
BOARD_DATA := cmdline layout ports qemu.args gatepost.conf
YANG       := $(wildcard model/*.yang)
# Folders too: a link that comes or goes shows in its folder's time.
ROOT_FILES := $(shell find rootfs -type f -not -name '*.pyc') $(shell find rootfs/overlay -type d)

# What admin may log in with from the first boot on: a file of public keys, a file with a password.
ADMIN_KEY      ?=
ADMIN_PASSWORD ?=
FIRST_LOGIN    := $(if $(ADMIN_KEY),--admin-key $(ADMIN_KEY)) \
		  $(if $(ADMIN_PASSWORD),--admin-password $(ADMIN_PASSWORD))

# One time for everything in the image, the last commit's, so that equal trees give equal images.
EPOCH   = $(shell git log -1 --format=%ct 2>/dev/null || echo 1700000000)
VERSION = $(shell git describe --always --dirty 2>/dev/null || echo unknown)

.PHONY: image images lock run
ifneq ($(SANITIZE),)
# The sanitizers' run-time libraries have no place on the box: the image's programs go without.
image:
	@$(MAKE) --no-print-directory image BOARD=$(BOARD) SANITIZE=
else
image: $(IMAGE)/rootfs.squashfs $(IMAGE)/bzImage $(BOARD_DATA:%=$(IMAGE)/%)
	@echo "image: $(IMAGE) ($$(du -ch $(IMAGE)/bzImage $(IMAGE)/rootfs.squashfs | tail -1 | cut -f1))"
endif

images: ## the images of all boards
	@$(foreach b,$(BOARDS),$(MAKE) --no-print-directory image BOARD=$(b) &&) true

lock: ## accept the package versions that Debian offers now (rootfs/packages.lock)
	@rootfs/packages.py lock rootfs/packages.list $(LOCK) --also linux-source-6.1

$(ROOT)/fetched: rootfs/packages.list $(LOCK) rootfs/packages.py | deps $(KERNEL)/bzImage
	@rootfs/packages.py fetch rootfs/packages.list $(LOCK) $(CACHE)/packages
	@mkdir -p $(@D); touch $@

# What the image says about itself; touched only when it changes.
$(ROOT)/release: FORCE
	@mkdir -p $(@D); echo "$(VERSION) $(EPOCH)" | cmp -s - $@ || echo "$(VERSION) $(EPOCH)" >$@

$(ROOT)/first-login: FORCE
	@mkdir -p $(@D); cat /dev/null $(ADMIN_KEY) $(ADMIN_PASSWORD) | sha256sum >$@.new && \
		{ cmp -s $@.new $@ || cp $@.new $@; }

$(IMAGE)/rootfs.squashfs: $(ROOT)/fetched $(ROOT)/release $(ROOT)/first-login $(PROGRAMS:%=$(B)/bin/%) $(YANG) \
		$(ROOT_FILES) $(BOARD_DATA:%=board/$(BOARD)/%) mk/image.mk
	@echo "[5/5] image: $(IMAGE)"
	@mkdir -p $(@D)
	@rootfs/assemble.py --cache $(CACHE)/packages --unpacked $(ROOT)/unpacked \
		--board board/$(BOARD) --tree $(ROOT)/tree-$(BOARD) --manifest $(IMAGE)/manifest.txt \
		--epoch $(EPOCH) --version $(VERSION) \
		$(PROGRAMS:%=--program $(B)/bin/%) $(YANG:%=--yang %) $(FIRST_LOGIN)
	@rootfs/squash.sh $(ROOT)/tree-$(BOARD) $@ $(EPOCH)

$(IMAGE)/bzImage: $(KERNEL)/bzImage
	@mkdir -p $(@D)
	@cp $(KERNEL)/config $(IMAGE)/kernel.config; cp $< $@

$(BOARD_DATA:%=$(IMAGE)/%): $(IMAGE)/%: board/$(BOARD)/%
	@mkdir -p $(@D)
	@cp $< $@

run: image ## boot the image here: its serial console in this terminal, disks kept in output/run
	@/usr/bin/python3 tests/harness/run.py $(IMAGE) $(O)/run/$(BOARD)
