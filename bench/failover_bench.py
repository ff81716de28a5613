#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Outage after a host's death and at a clean leave: OpenNLB beside keepalived and ucarp, in the same
namespaces with the same client.

The client starts an attempt every 5 ms, each with 100 ms; the outage is the time from the death to the
start of the first attempt after which none fails. Under OpenNLB with N hosts one client in N notices, under
the peers all do. Each round measures every subject once.
Usage: failover_bench.py [ROUNDS [PART OF A NAME]]; writes build/bench/failover.json."""
import contextlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/live"))
from figures import spread, write  # noqa: E402
from live import HTTP, VIP, Failure, Lab, end_process, wait_for  # noqa: E402

FAST = ("--period-ms", 10, "--tolerance", 6)
FASTEST = ("--period-ms", 10, "--tolerance", 3)  # the least of both that a configuration may say
DIE = "lab fault kill host{} host"
KEEPALIVED = """
global_defs {{ vrrp_version {version} }}
vrrp_instance web {{
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority {priority}
  advert_int {interval}
  virtual_ipaddress {{ {vip}/24 }}
}}
"""


def ours(lab, *profile, hosts=3, leave=None):
    """The death of host 2, or what host 2 is told to do (`leave`)."""
    lab.up(*profile, hosts=hosts)
    return lab.gap(f"--socket {lab.socket(2)} {leave}" if leave else DIE.format(2), seconds=4)


def at_host(lab, host, *words):
    log = (Path(lab.root) / f"host{host}/{words[0]}.log").open("w")
    return subprocess.Popen(["ip", "netns", "exec", f"nlb-host{host}", *map(str, words)],
                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def holds_vip(lab, host):
    return VIP in lab.lab("exec", f"host{host}", "--", "ip", "addr", "show", "eth0").stdout


@contextlib.contextmanager
def active_standby(lab, start):
    """Host 1 has the VIP by `start`'s daemons, host 2 stands by; gives both daemons."""
    lab.up("--stand-in", hosts=2)
    lab.lab("exec", "host1", "--", "ip", "addr", "flush", "to", f"{VIP}/32", "dev", "eth0")
    daemons = [start(lab, 1)]
    try:
        wait_for("host 1 is master", lambda: holds_vip(lab, 1), 15)
        daemons.append(start(lab, 2))
        wait_for("host 2 is no master", lambda: not holds_vip(lab, 2), 15)
        yield daemons
    finally:
        for daemon in daemons:
            end_process(daemon)


def keepalived_pair(lab, version, interval):
    def start(lab, host):
        folder = Path(lab.root) / f"host{host}"
        config = folder / "keepalived.conf"
        config.write_text(KEEPALIVED.format(version=version, priority=200 - 50 * host, interval=interval,
                                            vip=VIP))
        return at_host(lab, host, "keepalived", "--vrrp", "-n", "-l", "-f", config, "-p",
                       folder / "keepalived.pid", "-r", folder / "vrrp.pid")

    return active_standby(lab, start)


def keepalived(lab, version, interval, leave=False):
    with keepalived_pair(lab, version, interval) as (master, _):
        if leave:
            return lab.tool("gap", "--to", HTTP, "--seconds", 4, "--fault-at-ms", 1500, "--fault-cmd",
                            f"kill -TERM {master.pid}")
        return lab.gap(DIE.format(1), seconds=8 if version == 2 else 4)


def ucarp(lab, *pace):
    def start(lab, host):
        scripts = {}
        for name, verb in (("up", "add"), ("down", "del")):
            path = Path(lab.root) / f"host{host}/{name}.sh"
            path.write_text(f"#!/bin/sh\nip addr {verb} {VIP}/24 dev eth0 || true\n")
            path.chmod(0o755)
            scripts[name] = path
        return at_host(lab, host, "ucarp", "-i", "eth0", "-s", f"10.77.0.{10 + host}", "-v", 7,
                       "-p", "secret", "-a", VIP, "-u", scripts["up"], "-d", scripts["down"], "-P",
                       "-k", host - 1, *pace)

    with active_standby(lab, start):
        return lab.gap(DIE.format(1), seconds=6)


SUBJECTS = {
    **{f"OpenNLB, default (50 ms x 10), {hosts} hosts": lambda lab, hosts=hosts: ours(lab, hosts=hosts)
       for hosts in (3, 32)},
    # 32 of these would hear 99,200 heartbeats a second, on the two processors that all of them share here.
    **{f"OpenNLB, fast (10 ms x 6), {hosts} hosts": lambda lab, hosts=hosts: ours(lab, *FAST, hosts=hosts)
       for hosts in (2, 3, 8)},
    **{f"OpenNLB, fastest (10 ms x 3), {hosts} hosts":
       lambda lab, hosts=hosts: ours(lab, *FASTEST, hosts=hosts) for hosts in (2, 3)},
    "keepalived, default (1 s adverts)": lambda lab: keepalived(lab, 2, 1),
    "keepalived, fastest (VRRPv3, 10 ms adverts)": lambda lab: keepalived(lab, 3, 0.01),
    "ucarp, default (1 s adverts, ratio 3)": lambda lab: ucarp(lab, "-b", 1),
    "ucarp, fastest (1 s adverts, ratio 1)": lambda lab: ucarp(lab, "-b", 1, "-r", 1),
    "clean leave: OpenNLB stop": lambda lab: ours(lab, leave="stop"),
    "clean leave: OpenNLB drainstop": lambda lab: ours(lab, leave="drainstop"),
    "clean leave: keepalived, fastest": lambda lab: keepalived(lab, 3, 0.01, leave=True),
}


def figures_of(results):
    return {"rounds": len(results), "gap_ms": [result["gap_ms"] for result in results],
            **spread([result["gap_ms"] for result in results]),
            "failed": max(result["failed_after"] for result in results),
            "patient_max_ms": max(result["patient"]["connect_ms"]["max"] for result in results)}


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    lab = Lab(ROOT / "build/bin/nlb")
    results = {name: [] for name in SUBJECTS if wanted in name}
    failures = 0
    try:
        for _ in range(rounds):
            for name, seen in results.items():
                try:
                    seen.append(SUBJECTS[name](lab))
                except (Failure, subprocess.SubprocessError) as failure:  # the other rows are worth having
                    print(f"failover: {name}: {failure}", file=sys.stderr)
                    failures += 1
    finally:
        lab.down()
    figures = {name: figures_of(seen) for name, seen in results.items() if seen}
    print(f"{'outage, ms':46}{'median':>8}{'least':>8}{'most':>8}{'failed':>8}{'with SYN retry':>16}")
    for name, one in figures.items():
        print(f"{name:46}{one['median']:8.0f}{one['least']:8.0f}{one['most']:8.0f}{one['failed']:8}"
              f"{one['patient_max_ms']:16.0f}")
    if not wanted:  # a part is no figure of the report's
        write("failover", {"rounds": rounds, "subjects": figures})
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
