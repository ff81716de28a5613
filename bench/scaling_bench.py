#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What heartbeats, convergence and memory cost as hosts, rules and connections grow, at the default profile,
with keepalived's standby beside it. Namespaces of one machine: all daemons share its processors. Each
heartbeat comes to all others, so the whole lab's work grows with the square of the hosts: two processors
carry 32, and not 64.

Usage: scaling_bench.py [SECONDS [HOSTS…]]: how long each idle cluster is watched (5), and the sizes (2 8 16
32); writes build/bench/scaling.json when the sizes are these."""
import json
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/live"))
from failover_bench import keepalived_pair  # noqa: E402
from figures import write  # noqa: E402
from live import Lab, end_process, need  # noqa: E402

SIZES = (2, 8, 16, 32)
RULES, STREAMS = 64, 4000
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def processor_ms(pids):
    def used(pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * TICK_MS  # user, system
    return sum(map(used, pids))


def sent(lab, host):
    """(octets, frames) that a host has sent so far."""
    shown = lab.lab("exec", f"host{host}", "--", "ip", "-json", "-stats", "link", "show", "eth0").stdout
    own = json.loads(shown)[0]["stats64"]["tx"]
    return own["bytes"], own["packets"]


def machine_busy_s():
    """Processors' seconds of this machine that were not idle so far."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) * TICK_MS / 1000  # without idle, iowait


def watched(pids, seconds, lab=None):
    """Of a cluster in which nothing happens: what each daemon uses, and what host 1 sends, a second."""
    before, used, began = sent(lab, 1) if lab else None, processor_ms(pids), time.monotonic()
    busy = machine_busy_s()
    time.sleep(seconds)
    took = time.monotonic() - began
    figures = {"cpu_ms": (processor_ms(pids) - used) / len(pids) / took,
               "busy": (machine_busy_s() - busy) / took / os.cpu_count()}
    if lab:
        octets, frames = (after - once for after, once in zip(sent(lab, 1), before))
        figures |= {"octets": octets / took, "frames": frames / took}
    return figures


def resident_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def kernel_kib(pid):
    """Of the maps and programs that a daemon holds open, each once."""
    sizes = {}
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        fields = dict(line.split(":\t", 1) for line in entry.read_text().splitlines() if ":\t" in line)
        for kind in ("map_id", "prog_id"):
            if kind in fields and "memlock" in fields:  # a link, as that of a walk, names its program too
                sizes[kind, fields[kind]] = int(fields["memlock"])
    return sum(sizes.values()) / 1024


def memory(pids):
    return {"resident_kib": statistics.median(map(resident_kib, pids)),
            "kernel_kib": statistics.median(map(kernel_kib, pids))}


def last_convergence_ms(lab):
    """Of the last one at host 1, from the first sign of change to converged."""
    return json.loads(lab.host(1, "--json", "history").stdout)["history"][-1]["duration_ms"]


def convergences(lab, hosts):
    """One host stops, and starts again."""
    others = list(range(1, hosts))
    lab.host(hosts, "stop")
    lab.wait_members(others)
    left = last_convergence_ms(lab)
    lab.host(hosts, "start")
    lab.wait_members([*others, hosts])
    return {"leave_ms": left, "join_ms": last_convergence_ms(lab)}


def cluster(lab, hosts, seconds):
    lab.up(hosts=hosts)
    pids = lab.daemons()
    need(len(pids) == hosts, f"{len(pids)} daemons of {hosts} hosts")
    return {**watched(pids, seconds, lab), **memory(pids), **convergences(lab, hosts)}


def grown(lab):
    """Memory of two hosts with one rule, with many, and with many connections besides."""
    lab.up(hosts=2)
    pids = lab.daemons()
    seen = {"1 rule": memory(pids)}
    for port in range(8001, 7999 + RULES):
        lab.host(1, "rule", "add", port)
    seen[f"{RULES} rules"] = memory(pids)
    streams = lab.start_streams(STREAMS, 15)
    try:
        seen[f"{RULES} rules, {STREAMS:,} connections"] = memory(pids)
    finally:
        end_process(streams)
    return seen


def standby(lab, seconds):
    with keepalived_pair(lab, 3, 0.01) as daemons:
        return watched([daemon.pid for daemon in daemons], seconds)


def shown(figures):
    def line(name, *cells):
        print(f"{name:38}" + "".join(f"{cell:>14}" for cell in cells))

    line("", "CPU ms/s", "machine", "kB/s sent", "frames/s", "RSS MiB", "kernel MiB", "leave ms", "join ms")
    for hosts, one in figures["hosts"].items():
        line(f"{hosts} hosts", f"{one['cpu_ms']:.1f}", f"{one['busy']:.0%}", f"{one['octets'] / 1000:.1f}",
             f"{one['frames']:.0f}", f"{one['resident_kib'] / 1024:.1f}", f"{one['kernel_kib'] / 1024:.1f}",
             one["leave_ms"], one["join_ms"])
    line("keepalived, 10 ms adverts, 2 hosts", f"{figures['keepalived']['cpu_ms']:.1f}")
    for name, one in figures["memory"].items():
        line(name, *[""] * 4, f"{one['resident_kib'] / 1024:.1f}", f"{one['kernel_kib'] / 1024:.1f}")


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    sizes = tuple(map(int, sys.argv[2:])) or SIZES
    lab = Lab(ROOT / "build/bin/nlb")
    try:
        figures = {"seconds": seconds, "hosts": {str(hosts): cluster(lab, hosts, seconds) for hosts in sizes},
                   "memory": grown(lab), "keepalived": standby(lab, seconds)}
    finally:
        lab.down()
    shown(figures)
    if sizes == SIZES:
        write("scaling", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
