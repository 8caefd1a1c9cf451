# SPDX-License-Identifier: GPL-2.0-or-later
# Benchmarks. Their figures go to output/bench/*.json and, as a table, to the terminal.
# docs/performance.md says what each means. Not part of `make test`: nothing here is a timed test.

BENCH_PROGRAMS := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))
$(B)/bench/%: $(B)/obj/tests/bench/%.o $(B)/model.a $(B)/lib.a
	@mkdir -p $(@D)
	@echo "  LD    bench/$*"
	@$(CC) $(LDFLAGS) -o $@ $< $(B)/model.a $(B)/lib.a -lyang -lssl -lcrypto -lm

# craft runs what the relay's work does: it is linked as the programs are.
$(B)/bench/craft: $(B)/obj/tests/bench/craft.o $(B)/relay.a $(B)/lib.a
	@mkdir -p $(@D)
	@echo "  LD    bench/craft"
	@$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS_gatepost-relay)

BENCH_PACKAGES := mk/bench-packages.list

.PHONY: bench-deps bench-programs bench-relay bench-track bench-gateway
bench-deps: deps
	@mk/install-deps.sh $(BENCH_PACKAGES)

bench-programs: $(BENCH_PROGRAMS)
test-programs: bench-programs # tests/netns/test_bench_load.py

bench-relay: bench-deps programs bench-programs ## the relay's speed, fairness, memory (PART=5k QUICK=1 PERF=calls)
	@$(SUDO) /usr/bin/python3 -m tests.bench $(if $(PART),--part $(PART)) $(if $(QUICK),--quick) \
		$(if $(PERF),--perf $(PERF)) $(if $(SESSIONS),--sessions $(SESSIONS))

bench-gateway: deps programs bench-programs ## commits, packets, completion (PART=commit QUICK=1)
	@$(SUDO) /usr/bin/python3 -m tests.bench.gateway $(if $(PART),--part $(PART)) \
		$(if $(QUICK),--quick)

bench-track: bench-deps programs bench-programs test-programs unit-tests ## speed of rewriting, signing, endpoint (PART=craft QUICK=1)
	@$(SUDO) /usr/bin/python3 -m tests.bench track $(if $(PART),--part $(PART)) $(if $(QUICK),--quick)
