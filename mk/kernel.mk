# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel: Debian's source, tinyconfig and the fragments of kernel-config/. Compiled once for
# each combination of source, options and compiler, and kept in $(CACHE)/kernel.

KERNEL_FRAGMENTS := $(sort $(wildcard kernel-config/*.cfg))
KERNEL           := $(O)/kernel
LOCK             := rootfs/packages.lock

.PHONY: kernel menuconfig-kernel
kernel: $(KERNEL)/bzImage ## the kernel alone

# Asked on every run, so that a new compiler counts; the file is touched only when it changes.
$(KERNEL)/bzImage: FORCE | deps programs
	@kernel-config/kernel.sh $(CACHE) $(KERNEL) $(LOCK) $(KERNEL_FRAGMENTS)

menuconfig-kernel: | deps ## the kernel's menu; prints what you changed as lines for a fragment
	@kernel-config/menuconfig.sh $(CACHE) $(KERNEL)/menu $(LOCK) $(KERNEL_FRAGMENTS)

.PHONY: FORCE
FORCE:
