#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to hold a million connections: three hosts, idle TCP connections from a hundred addresses
to the VIP, and what nlbd needs for them when nothing happens, when a host joins and when one drains.

The kernel has one table of connections for all namespaces, in which each connection stands twice here, at its
host and at its client: each host's walk of the table meets six times as many as on machines of their own.

Usage: held_bench.py [CONNECTIONS]   (1,000,000; 8 kB of memory for each). By hand: it takes minutes."""
import json
import subprocess
import sys
import time

from figures import BUILD, ROOT
from scaling_bench import last_convergence_ms, memory, processor_ms  # noqa: E402

sys.path.insert(0, str(ROOT / "tests/live"))
from live import VIP, Lab, end_process, need, need_no_failure  # noqa: E402

PORT, HOSTS, ADDRESSES = 8001, (1, 2, 3), 101
A_PROCESS = 19_000  # connections of each client process: a limit of 20,000 descriptors is enough
TOOL = str(BUILD / "bench/tools/idle_connections")


def inside(lab, node, *words):
    return subprocess.Popen([lab.nlb_path, "lab", "exec", node, "--", *map(str, words)], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def sources(lab):
    shown = lab.lab("exec", "client1", "--", "ip", "-json", "-4", "addr", "show", "dev", "eth0").stdout
    return [one["local"] for one in json.loads(shown)[0]["addr_info"] if one["local"].startswith("10.81.")]


class Holders:
    """The clients' ends; `open` is how many were open when they were asked last."""

    def __init__(self, lab, count):
        self.processes, self.open, self.failed = [], 0, 0
        while count > 0:
            words = [TOOL, "hold", VIP, PORT, min(count, A_PROCESS), *sources(lab)]
            self.processes.append(inside(lab, "client1", *words))
            said = self.processes[-1].stdout.readline().split()
            self.open, self.failed = self.open + int(said[1]), self.failed + int(said[3])
            count -= A_PROCESS

    def end(self):
        """How many are open still."""
        for process in self.processes:
            process.stdin.close()
        said = [process.stdout.readline().split() for process in self.processes]
        for process in self.processes:
            process.wait()
        return sum(int(words[1]) for words in said)


def seen_by(lab, host):
    """Of the rule: (connections, buckets held) as this host's nlbd counted them last."""
    rules = json.loads(lab.host(host, "--json", "connections").stdout)["rules"]
    rule = next(rule for rule in rules if str(PORT) in rule["rule"])
    return rule["connections"], rule["held_buckets"]


def events(lab, number):
    return sum(1 for host in HOSTS for event in lab.events(host) if event["number"] == number)


def observed(lab, seconds, act=None):
    """Processor time of each daemon a second, over so many seconds, in which `act` happens."""
    pids, began = lab.daemons(), time.monotonic()
    used = processor_ms(pids)
    figures = act() if act else {}
    time.sleep(max(0, began + seconds - time.monotonic()))
    return {**figures, "cpu_ms_per_s": (processor_ms(pids) - used) / len(pids) / (time.monotonic() - began),
            **memory(pids)}


def join(lab):
    lab.host(3, "start")
    lab.wait_members(HOSTS, 60)
    return {"convergence_ms": last_convergence_ms(lab)}


def drain(lab):
    lab.host(2, "drainstop")
    lab.wait_members([1, 3], 60, draining=[2])
    return {"convergence_ms": last_convergence_ms(lab)}


def measure(lab, count):
    lab.up("--client-addresses", ADDRESSES, hosts=len(HOSTS))
    lab.host(1, "rule", "add", PORT)
    for host in HOSTS:
        lab.lab("exec", f"host{host}", "--", "sysctl", "-qw", "net.core.somaxconn=1048576")
    servers = [inside(lab, f"host{host}", TOOL, "serve", PORT) for host in HOSTS]
    lab.host(3, "stop")
    lab.wait_members([1, 2])
    figures = {"none": observed(lab, 5)}
    began = time.monotonic()
    holders = Holders(lab, count)
    figures["opened"] = {"open": holders.open, "failed": holders.failed, "seconds": time.monotonic() - began}
    try:
        time.sleep(3)
        figures["held"] = observed(lab, 10)
        figures["seen"] = {host: seen_by(lab, host) for host in HOSTS}
        figures["join"] = observed(lab, 10, lambda: join(lab))
        figures["drain"] = observed(lab, 10, lambda: drain(lab))
        figures["seen after"] = {host: seen_by(lab, host) for host in HOSTS}
        need_no_failure(lab.load(600))
        figures["late"], figures["evicted"] = events(lab, 1007), events(lab, 1005)
        figures["open at the end"] = holders.end()
    finally:
        for process in (*holders.processes, *servers):
            end_process(process)
    return figures


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    lab = Lab(BUILD / "bin/nlb")
    try:
        figures = measure(lab, count)
    finally:
        lab.down()
    print(json.dumps(figures, indent=1))
    need(figures["open at the end"] == figures["opened"]["open"], "connections were lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
