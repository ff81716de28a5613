# The front door. Run as root on Debian 12: `make demo` is the shortest way to see it work.
# Everything else is CMake and ninja: `cmake --preset release && ninja -C build`.
PREFIX ?= /usr
NINJA  ?= ninja

.PHONY: help deps build demo lab-vm test check check-lint check-sanitizers fuzz model-full sim-seeds \
        sim-mutant faults fault-report servers coexistence soak bench format install deb package-test systemd-test dist clean

help:
	@echo "make deps | build | demo | lab-vm | test | check | bench | fuzz | model-full | sim-seeds SEEDS=1-10000 |" \
	      "sim-mutant PATCH=file | faults | fault-report | servers | coexistence | soak HOURS=2 | format | install DESTDIR=… | deb | package-test | systemd-test | dist | clean"

deps:
	@tools/deps.sh

build:
	@tools/deps.sh --if-missing
	@mkdir -p build; cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@$(NINJA) -C build

demo: build
	@tools/demo.sh

# The lab with real virtual machines behind a guarded switch; it stays up.
lab-vm: build
	@build/bin/nlb lab down
	@build/bin/nlb lab up --vm --mac-spoofing cluster
	@build/bin/nlb lab status
	@echo "try: build/bin/nlb lab exec host1 -- nlb display; build/bin/nlb lab vm stop web2; build/bin/nlb lab down"

test: build
	@tools/run-tests.sh

check: check-lint check-sanitizers fuzz

check-lint:
	@python3 tools/lint.py

# The unit tests again, under AddressSanitizer and UndefinedBehaviorSanitizer.
check-sanitizers:
	@tools/deps.sh --if-missing
	cmake --preset asan >/dev/null
	$(NINJA) -C build/asan
	ctest --test-dir build/asan -L unit -j$$(nproc) --output-on-failure

# Each fuzzer for FUZZ_SECONDS (60); a table of executions and coverage at the end.
fuzz:
	@tools/fuzz.sh

# The larger searches of the model of ownership: minutes, up to 4 GB.
model-full:
	@tools/deps.sh --if-missing
	@python3 model/check.py --full

# Ten simulated minutes of each seed on all processors, added up; a run that was interrupted goes on.
SEEDS ?= 1-10000
sim-seeds: build
	@python3 tools/sim-seeds.py $(SEEDS)

# Would the simulator find the mistake that this patch to src/core makes?
sim-mutant:
	@tools/sim-mutant.sh $(PATCH)

# The lab under random faults for hours; nothing may grow. SEED repeats a run.
HOURS ?= 2
soak: build
	@python3 tests/soak/soak.py --hours $(HOURS) $(if $(SEED),--seed $(SEED))

bench: build
	@tools/bench.sh

# All scenarios of the fault lab in turn, until each has REPEATS; a run that was interrupted goes on.
REPEATS ?= 100
faults: build
	@python3 tests/faults/run.py --repeats $(REPEATS)

fault-report:
	@python3 tests/faults/report.py build/faults docs/results/faults.md

# Real servers and clients in every mode and family; needs more packages than `make deps` installs, and names them.
servers: build
	@python3 tests/servers/run.py
	@python3 tests/servers/run.py --report

# Docker, firewalld, NetworkManager and libxdp themselves on cluster hosts; names the packages that are missing.
coexistence: build
	@tests/apart.sh python3 tests/coexistence/run.py

format:
	git ls-files '*.c' '*.h' '*.cc' '*.hh' | xargs -r clang-format-14 -style=file -i

# What was built: programs, manuals, the journal's catalog, hooks of libvirt and Proxmox VE.
install:
	@DESTDIR="$(DESTDIR)" cmake --install build --prefix $(PREFIX) >/dev/null
	install -d -m 755 $(DESTDIR)/etc/opennlb
	@echo "With systemd, as root: systemd-sysusers && systemd-tmpfiles --create opennlb.conf makes the daemon's user and /etc/opennlb its group's"

# Debian packages of what is built here, in build/. `tools/deb.sh` builds anew, with Debian's flags and the unit tests.
deb: build
	@tools/deb.sh build

# The packages on a fresh Debian 12 made by debootstrap, and what lintian says; needs both programs, and the network once.
package-test: deb
	@tools/package-test.sh

# The packages and their units under systemd as process 1: a whole Debian 12 in a virtual machine, minutes.
systemd-test: deb
	@python3 tests/packages/systemd.py

# The sources as a tarball, the same to the last bit wherever it is made of one commit.
dist:
	@tools/dist.sh

clean:
	rm -rf build
