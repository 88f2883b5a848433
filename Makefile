# make test is the whole of it: what it accepts may be released.
# It needs Go, git, and a C compiler for the race detector; apache2, a JDK, Maven
# a Kerberos KDC and chromium where a test compares with the real thing. A test that finds its program
# missing says so and is left out, unless CI=true: then it fails.

GO          ?= go
FUZZTIME    ?= 2s
SEED        ?= 1
DURATION    ?= 10m
LAYOUT      ?= typed
WHAT        ?= table
LINES       ?= 300000
ROW         ?= 0
HOSTS       ?= 10000
COLLECTORS  ?= 50
ROLL        ?= 2h
STATICCHECK  = honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Go itself turns cgo off where there is no C compiler.
RACE := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

.PHONY: build test quick check plain race fuzz readers soak scale attack drill bench clean
.NOTPARALLEL:

# Without DWARF a binary is 26 MB for 33; what needs it are debuggers. Stack traces, pprof and
# perf need it not.
build:
	$(GO) build -ldflags=-w ./cmd/sluice
	$(GO) build ./cmd/sluice-bench

test: check plain race fuzz

# For a developer, before each commit: no Java, cluster, browser, race detector, staticcheck or
# fuzzing, and no tests that kill processes again and again, fill disks or follow many logs with the
# real binary. Go caches the result of a package that did not change.
quick:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) test -short ./...

# Formatting and package rules are tests too (package rules); gofmt stands here
# because it says first, and in a second, what is quickly mended.
check:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:" $$unformatted >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff

# Packages without a goroutine have no race to detect, and are tested faster without the
# detector: package rules holds this list to that.
SEQUENTIAL = doctor hadoop/site hbase/hfile hbase/wire ingest/logfile parse/httpdconf print schema table/parquet test/rules

# Five packages at a time: on two processors, as many of them wait for a process or for the
# cluster, which they use in turn, as compute; so do the tests of one that run beside others. By
# default a program with the race detector sleeps for a second when it ends, and the tests start
# a thousand of them.
race:
ifeq ($(RACE),)
	@echo "no C compiler: the race detector is left out" >&2; [ "$$CI" != true ]
endif
	GORACE=atexit_sleep_ms=50 test/cluster/cluster hold $(GO) test -vet=off -p 5 -parallel 6 -timeout 45m $(RACE) $$($(GO) list ./... | grep -vxE '$(subst $() ,|,$(SEQUENTIAL:%=sluice/%))')

# The race detector allocates by itself, empties pools and slows the code, so what is
# counted, is bounded by the CPU's time, or repeats a thing thousands of times is tested
# once more without it.
#
# Only the packages with such tests are built for it. go vet has run over all of them before.
PLAIN = Alloc|InSteps|LongestLines|WhereverPowerFails|SeesEveryLineOnce|SimulatedMonth|FourThousandLogs|TestScripts|EveryLineIsStoredOnce|AnswerAsEntriesDo
plain:
	$(GO) test -vet=off $(SEQUENTIAL:%=./%)
	$(GO) test -vet=off -parallel 6 -run '$(PLAIN)' $$(grep -rlE --include='*_test.go' '^func \w*($(PLAIN))' . | xargs -n 1 dirname | sort -u)

# Every fuzz target there is, for FUZZTIME each.
fuzz:
	GO=$(GO) test/rules/fuzz.sh $(FUZZTIME)

# Other programs on columnar tables, archives and tables in HBase, with Spark (450 MB from PyPI),
# Hive and Phoenix (Maven), which make test leaves out: the counts of each, beside those of sluice
# scan. LOG is one more log in Apache's combined format.
readers:
	$(GO) test -v -count 1 -timeout 30m -run CountWhatScanCounts ./cmd/sluice -readers all $(if $(LOG),-log $(abspath $(LOG)))

# A real cluster of its own, and faults in the order of SEED: docs/soak.md.
soak:
	$(GO) test -v -timeout 0 -run '(?i)^TestThe$(WHAT)Holds?$$' ./test/soak -soak $(DURATION) -seed $(SEED) -layout $(LAYOUT)

# A day of many hosts, collectors and HBase by simulation: docs/scale.md.
scale:
	$(GO) test -v -count=1 -run EveryByteIsStored ./test/scale -hosts $(HOSTS) -collectors $(COLLECTORS) -roll-interval $(ROLL) -seed $(SEED)

# Faults in ten agents and a collector: which is named when, and as what. docs/watching.md.
drill:
	$(GO) test -v -count=1 -run '^TestDrill$$' ./cmd/sluice -drill

# What hostile senders do to a collector, beside an honest host: docs/security.md. ROW is one of
# the attacks, 0 is all.
attack:
	$(GO) test -v -timeout 0 -run TestAnHonestHostIsServedDuringAttacks ./test/attack -lines $(LINES) -row $(ROW)

bench: build
	./sluice bench

clean:
	rm -f sluice sluice-bench
	$(GO) clean -testcache
