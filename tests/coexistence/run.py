#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What docs/COEXISTENCE.md says of Docker, firewalld, NetworkManager and libxdp, with these themselves.

    run.py [--only NAME…]      all of them (`make coexistence`), or some

They are no part of `make test`: they take minutes, and packages that nothing else needs. Which are missing
is said. Each daemon runs on a host of the lab, in a place of its own, and ends with its scenario."""
import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "live"))

import dispatcher  # noqa: E402
import docker  # noqa: E402
import firewalld  # noqa: E402
import network_manager  # noqa: E402
from live import SKIPPED, Lab, Run, print_logs  # noqa: E402

# name: (scenario, {program that it runs: its Debian package})
SCENARIOS = {
    "docker": (docker.scenario, {"dockerd": "docker.io", "docker": "docker.io", "nginx": "nginx"}),
    "firewalld": (firewalld.scenario, {"firewalld": "firewalld", "dbus-daemon": "dbus-daemon"}),
    "networkmanager": (network_manager.scenario, {"NetworkManager": "network-manager",
                                                  "nmcli": "network-manager", "dbus-daemon": "dbus-daemon"}),
    "dispatcher": (dispatcher.scenario, {"xdp-loader": "xdp-tools", "qemu-system-x86_64": "qemu-system-x86"}),
}


def versions(packages):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *sorted(set(packages))],
                          capture_output=True, text=True, check=False)
    return ", ".join(done.stdout.splitlines())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nlb", default="build/bin/nlb")
    parser.add_argument("--only", nargs="*", choices=list(SCENARIOS), default=list(SCENARIOS))
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: network namespaces need root")
        return SKIPPED
    run, left_out = Run("coexistence", Lab(options.nlb), False), []
    try:
        for name in options.only:
            scenario, programs = SCENARIOS[name]
            missing = sorted({package for program, package in programs.items() if not shutil.which(program)})
            if missing:
                left_out.append(f"{name} is left out: apt-get install {' '.join(missing)}")
                continue
            print(f"---- {name}: {versions(programs.values())}", flush=True)
            with run.case(f"{name}: the scenario runs to its end"):
                scenario(run)
    finally:
        if run.failed:
            print_logs(run.lab)
        run.lab.lab("down", check=False)
    failed = run.conclusion()
    for line in left_out:
        print(line)
    return int(bool(failed) or len(left_out) == len(options.only))


if __name__ == "__main__":
    sys.exit(main())
