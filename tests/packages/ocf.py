#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The OCF resource agent as Pacemaker would call it, on a machine with the packages: ocf-tester's own list
first, then what a cluster manager has to be able to tell apart."""
import shutil
import sys

from machine import ROOT, machines_with_packages, run_apart

sys.path.insert(0, str(ROOT / "tests/live"))
from live import SKIPPED, need  # pylint: disable=wrong-import-position

AGENT = "/usr/lib/ocf/resource.d/opennlb/nlbd"
VIP = "192.0.2.100"


def scenario(run):
    machine = machines_with_packages(["web1"], ["opennlb", "opennlb-tools"])["web1"]
    machine.inside("dpkg -i *.deb")

    def call(action, code, **parameters):
        all_given = {"cluster": "web", **parameters}.items()
        given = " ".join(f"OCF_RESKEY_{key}={value}" for key, value in all_given)
        done = machine.inside(f"OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=web {given} {AGENT} {action}",
                              check=False)
        need(done.returncode == code,
             f"{action}: exit {done.returncode}, wanted {code}: {done.stdout}{done.stderr}")
        return done

    with run.case("without a configuration: a probe says not running, validation says not installed"):
        call("monitor", 7)
        call("validate-all", 5)
    machine.inside(f"nlb init web --vip {VIP}/24 --ports 80; nlb --cluster web keygen")
    with run.case("ocf-tester finds nothing wrong") as notes:
        done = machine.inside(f"ocf-tester -n web -o cluster=web {AGENT}", check=False)
        need(done.returncode == 0 and "passed all tests" in done.stdout, done.stdout + done.stderr)
        notes.append(done.stdout.strip().splitlines()[-1])
    with run.case("a wrong configuration is told, with its line"):
        machine.inside("sed -i 's/^id .*/id = 99/' /etc/opennlb/web.toml")
        need("web.toml:" in call("start", 6).stderr, "no line")
        machine.inside("sed -i 's/^id .*/id = 1/' /etc/opennlb/web.toml")
    with run.case("it serves, twice started is once started, and a drain is waited for"):
        call("start", 0)
        call("start", 0)
        machine.inside("nlb query --wait-converged --timeout 20")
        call("monitor", 0)
        call("stop", 0, drain_s=5)
        call("monitor", 7)
        call("stop", 0)
        left = machine.inside("ip -br address; nft list ruleset").stdout
        need(VIP not in left, f"the address is left: {left}")
    with run.case("a suspended node is not said to run, by a start neither"):
        call("start", 0)
        machine.inside("nlb suspend")
        call("monitor", 1, CRM_meta_interval=10000)
        call("stop", 0)
        need("administrator" in call("start", 1).stderr, "it does not say why")
        machine.inside("nlb resume")
        call("start", 0)
        call("monitor", 0)
        call("stop", 0)
    with run.case("a daemon that stands still is a failure, and can be stopped all the same"):
        call("start", 0)
        machine.inside("kill -STOP $(pidof nlbd)")
        call("monitor", 1)
        call("stop", 0)
        call("monitor", 7)
    machine.end()


if __name__ == "__main__":
    if shutil.which("ocf-tester") is None:
        print("skipped: there is no ocf-tester (Debian: resource-agents)")
        sys.exit(SKIPPED)
    run_apart("package_ocf", scenario)
