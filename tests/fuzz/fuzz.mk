# SPDX-License-Identifier: GPL-2.0-or-later
# Fuzzers: tests/fuzz/fuzz_NAME.c, each with the seeds in tests/fuzz/corpus/NAME, for FUZZ_S
# seconds. What one finds is written to output/fuzz/ and belongs into a unit test.

FUZZ_S     ?= 60
FUZZ       := $(O)/build-fuzz
FUZZ_FLAGS := $(filter-out -O2 -Werror -fcf-protection -D_FORTIFY_SOURCE=2,$(CFLAGS)) -O1 -w \
	      -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZERS    := $(patsubst tests/fuzz/%.c,$(FUZZ)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SOURCES := $(foreach a,lib relay console,$(call sources,$(a)))

$(FUZZ)/obj/%.o: %.c | deps
	@mkdir -p $(@D)
	@echo "  FUZZ  $<"
	@clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(FUZZ)/all.a: $(patsubst %.c,$(FUZZ)/obj/%.o,$(FUZZ_SOURCES))
	@rm -f $@; ar rcsD $@ $^

$(FUZZ)/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ)/all.a
	@echo "  LD    fuzz_$*"
	@clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ)/all.a $(LIBS_gatepost-relay) -llwip

fuzz: $(FUZZERS) ## every fuzzer for FUZZ_S seconds (60)
	@mkdir -p $(O)/fuzz
	@for f in $(FUZZERS); do name=$${f##*/fuzz_}; echo "  FUZZ  $$name ($(FUZZ_S) s)"; \
		mkdir -p $(O)/fuzz/$$name; \
		$$f -max_total_time=$(FUZZ_S) -rss_limit_mb=1024 -print_final_stats=0 -verbosity=0 \
			-artifact_prefix=$(O)/fuzz/$$name- $(O)/fuzz/$$name \
			$$(ls -d tests/fuzz/corpus/$$name 2>/dev/null) >$(O)/fuzz/$$name.log 2>&1 || \
			{ cat $(O)/fuzz/$$name.log; exit 1; }; done

-include $(shell find $(FUZZ)/obj -name '*.d' 2>/dev/null)
