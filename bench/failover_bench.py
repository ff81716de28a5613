#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Outage after a host's death: OpenNLB beside keepalived, in the same namespaces with the same client.

The client starts an attempt every 5 ms, each with 100 ms; the outage is the time from the death to the
start of the first attempt after which none fails. Under OpenNLB a third of the clients notices, under
keepalived all do.
Usage: failover_bench.py [ROUNDS]; writes build/bench/failover.json."""
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/live"))
from live import VIP, Lab, wait_for  # noqa: E402

KEEPALIVED = """
global_defs {{ vrrp_version 2 }}
vrrp_instance web {{
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority {priority}
  virtual_ipaddress {{ {vip}/24 }}
}}
"""


def ours(lab, *profile):
    lab.up(*profile)
    return lab.gap("lab fault kill host2 host", seconds=4)


def start_keepalived(lab, host, priority):
    folder = Path(lab.root) / f"host{host}"
    config = folder / "keepalived.conf"
    config.write_text(KEEPALIVED.format(priority=priority, vip=VIP))
    words = ["lab", "exec", f"host{host}", "--", "keepalived", "--vrrp", "-n", "-l", "-f", str(config),
             "-p", str(folder / "keepalived.pid"), "-r", str(folder / "vrrp.pid")]
    return subprocess.Popen([lab.nlb_path, *words], stdin=subprocess.DEVNULL,
                            stdout=(folder / "keepalived.log").open("w"), stderr=subprocess.STDOUT)


def holds_vip(lab, host):
    return VIP in lab.lab("exec", f"host{host}", "--", "ip", "addr", "show", "eth0").stdout


def keepalived(lab):
    lab.up("--stand-in")
    lab.lab("exec", "host1", "--", "ip", "addr", "flush", "to", f"{VIP}/32", "dev", "eth0")
    daemons = [start_keepalived(lab, 1, 150), start_keepalived(lab, 2, 100)]
    try:
        wait_for("host 1 is master", lambda: holds_vip(lab, 1), 15)
        return lab.gap("lab fault kill host1 host", seconds=8)
    finally:
        for daemon in daemons:
            daemon.terminate()
            daemon.wait(timeout=10)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    lab = Lab(ROOT / "build/bin/nlb")
    subjects = {"OpenNLB, default (50 ms x 10)": lambda: ours(lab),
                "OpenNLB, fast (10 ms x 6)": lambda: ours(lab, "--period-ms", 10, "--tolerance", 6),
                "keepalived, default (1 s adverts)": lambda: keepalived(lab)}
    figures = {}
    try:
        for name, measure in subjects.items():
            results = [measure() for _ in range(rounds)]
            gaps = [result["gap_ms"] for result in results]
            patient = [result["patient"]["connect_ms"]["max"] for result in results]
            figures[name] = {"rounds": rounds, "gap_ms": gaps, "median_ms": statistics.median(gaps),
                             "max_ms": max(gaps), "patient_max_ms": max(patient)}
    finally:
        lab.down()
    peer = figures["keepalived, default (1 s adverts)"]["median_ms"]
    print(f"{'outage after a host dies':36}{'median ms':>10}{'max ms':>9}{'with SYN retry':>16}"
          f"{'keepalived is':>15}")
    for name, figure in figures.items():
        ratio = peer / figure["median_ms"] if figure["median_ms"] else float("inf")
        print(f"{name:36}{figure['median_ms']:10.0f}{figure['max_ms']:9.0f}{figure['patient_max_ms']:16.0f}"
              f"{ratio:13.1f} x")
    out = ROOT / "build/bench/failover.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
