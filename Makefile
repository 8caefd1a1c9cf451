# SPDX-License-Identifier: GPL-2.0-or-later
# Gatepost: everything starts here; `make help` lists it.
#
# The parts: mk/deps.mk (what the machine needs), mk/build.mk (C programs), mk/kernel.mk and
# mk/image.mk (the firmware), mk/test.mk (tests, style), mk/bench.mk (benchmarks). All output goes
# to output/.

BOARD    ?= qemu-x86_64
SANITIZE ?=
O        := output
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DEFAULT_GOAL := all
SHELL    := /bin/bash
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: all
all: image ## the image for BOARD (default)

include mk/deps.mk
include mk/build.mk
include mk/kernel.mk
include mk/image.mk
include mk/test.mk
include mk/bench.mk

.PHONY: help clean distclean
help: ## this list
	@echo "Gatepost targets (BOARD=$(BOARD); boards: $(notdir $(wildcard board/*)))"; echo
	@awk -F':.*## ' '/^[a-z][a-z0-9-]*:.*## /{printf "  make %-20s %s\n", $$1, $$2}' Makefile mk/*.mk | sort

clean: ## remove what was built here; the kernel cache outside the tree stays
	rm -rf $(O)

distclean: clean ## clean, and the kernel and package caches too
	rm -rf $(CACHE)
