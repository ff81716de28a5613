#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Frames a second that one receiver takes from a veth: ours beside peers, interleaved, in namespaces of
its own.

Live frames of one UDP flow (BPF_PROG_TEST_RUN, no socket buffers at the sender, right checksums); the
receiving veth has NAPI. Each round measures every receiver once, and a receiver's ratio is to the empty
XDP drop of its own round. What a receiver says it dropped is compared with what came in: one that does
something else is no figure.
Usage: rate_bench.py [ROUNDS [SECONDS]]; writes build/bench/rates.json."""
import contextlib
import json
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
TX, RX = "nlb-bench-tx", "nlb-bench-rx"
MAC, CLIENT, VIP = "52:54:00:00:00:01", "10.99.0.99", "10.99.0.10"
EMPTY = BUILD / "tests-bpf/foreign_xdp.bpf.o"


def run(*words, check=True, **options):
    done = subprocess.run([str(word) for word in words], check=False, capture_output=True, text=True,
                          **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"{words}: {done.stderr}{done.stdout}")
    return done


def at(space, *words, **options):
    return run("ip", "netns", "exec", space, *words, **options)


def topology():
    clear()
    for line in (f"netns add {TX}", f"netns add {RX}",
                 f"-n {TX} link add tx0 type veth peer name rx0 address {MAC} netns {RX}",
                 f"-n {TX} address add {CLIENT}/24 dev tx0", f"-n {TX} link set tx0 up",
                 f"-n {RX} address add 10.99.0.1/24 dev rx0", f"-n {RX} address add {VIP}/32 dev rx0",
                 f"-n {RX} link set lo up", f"-n {RX} link set rx0 up"):
        run("ip", *line.split())
    at(TX, "ethtool", "-K", "tx0", "gro", "on")
    at(RX, "ethtool", "-K", "rx0", "gro", "on")


def clear():
    for space in (TX, RX):
        run("ip", "netns", "del", space, check=False)


def received():
    return int(at(RX, "cat", "/sys/class/net/rx0/statistics/rx_packets").stdout)


@contextlib.contextmanager
def empty_drop():
    at(RX, "ip", "link", "set", "rx0", "xdpdrv", "obj", EMPTY, "program", "empty_drop")
    yield lambda: None
    at(RX, "ip", "link", "set", "rx0", "xdpdrv", "off")


def ours(kind, state):
    @contextlib.contextmanager
    def attached():
        program = str(BUILD / "bench/tools/attached_filter")
        words = ["ip", "netns", "exec", RX, program, "rx0", kind, state, VIP, MAC]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        said = process.stdout.readline()
        if said != "ready\n":
            raise RuntimeError(f"attached_filter {kind}: {said}")
        counted = {}
        yield lambda: counted.get(state)
        out, _ = process.communicate()
        counted.update({name: int(count) for name, count in (line.split() for line in out.splitlines())})
    return attached


def nft(hook):
    """A table with one rule: the clients of the other half are dropped."""
    device = " device rx0" if hook == "ingress" else ""
    family, priority = ("netdev", 0) if hook == "ingress" else ("ip", -300)
    match = f"ip daddr {VIP} jhash ip saddr mod 2 seed 0xdeadbeef"

    def load(share):
        at(RX, "nft", "-f", "-", input=f"""table {family} bench {{
            counter dropped {{ }}
            chain in {{ type filter hook {hook}{device} priority {priority}; policy accept;
                {match} == {share} counter name dropped drop
            }}
        }}""")

    def dropped():
        said = at(RX, "nft", "list", "counter", family, "bench", "dropped").stdout
        return int(re.search(r"packets (\d+)", said)[1])

    @contextlib.contextmanager
    def loaded():
        load(0)
        send(0.05)
        if dropped() == 0:  # this client is the other one's
            at(RX, "nft", "delete", "table", family, "bench")
            load(1)
        yield dropped
        at(RX, "nft", "delete", "table", family, "bench")
    return loaded


@contextlib.contextmanager
def xt_cluster():
    """As its manual has it: what the node's match does not mark is dropped. The node that does not own this
    client."""
    legacy = at(RX, "iptables-legacy", "-t", "mangle", "-L", check=False).returncode == 0
    tables = "iptables-legacy" if legacy else "iptables"

    def rules(node):
        add = [tables, "-t", "mangle", "-A", "PREROUTING", "-i", "rx0"]
        at(RX, tables, "-t", "mangle", "-F")
        at(RX, *add, "-m", "cluster", "--cluster-total-nodes", 2, "--cluster-local-node", node,
           "--cluster-hash-seed", "0xdeadbeef", "-j", "MARK", "--set-mark", "0xffff")
        at(RX, *add, "-m", "mark", "!", "--mark", "0xffff", "-j", "DROP")

    def dropped():
        said = at(RX, tables, "-t", "mangle", "-L", "PREROUTING", "-v", "-x", "-n").stdout
        return int(re.search(r"(\d+)\s+\d+\s+DROP", said)[1])
    for node in (1, 2):
        rules(node)
        send(0.05)
        if dropped() > 0:
            break
    at(RX, tables, "-t", "mangle", "-Z")
    yield dropped
    at(RX, tables, "-t", "mangle", "-F")


@contextlib.contextmanager
def plain():
    yield lambda: None


RECEIVERS = (("empty XDP drop", empty_drop),
             ("OpenNLB, native XDP, foreign bucket: drop", ours("native", "foreign")),
             ("OpenNLB, tc alone, foreign bucket: drop", ours("tc", "foreign")),
             ("OpenNLB, generic XDP, foreign bucket: drop", ours("generic", "foreign")),
             ("nft jhash, netdev ingress: drop", nft("ingress")),
             ("nft jhash, prerouting: drop", nft("prerouting")),
             ("xt_cluster with conntrack: drop", xt_cluster),
             ("plain stack, UDP to a full socket", plain),
             ("OpenNLB, native XDP, own bucket: UDP to a full socket", ours("native", "owned")))


def send(seconds):
    """Frames a second that came in, and how many. A call of the kernel's takes a while to begin and to end,
    so the sender makes one long one, and the middle of it is measured."""
    began = received()
    words = ["ip", "netns", "exec", TX, str(BUILD / "bench/tools/live_sender"), "tx0", CLIENT, VIP, MAC]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as sender:
        time.sleep(0.2)
        before, begin = received(), time.monotonic()
        time.sleep(seconds)
        after, end = received(), time.monotonic()
        if sender.poll() is not None:
            raise RuntimeError(f"the sender has ended: {sender.stderr.read()}")
        sender.terminate()
    return (after - before) / (end - begin), received() - began


def measure(name, receiver, seconds):
    with receiver() as dropped:
        base = dropped() or 0
        rate, came = send(seconds)
        now = dropped()
    counted = now if now is not None else dropped()
    if counted is not None and not 0.9 * came <= counted - base <= 1.2 * came:
        raise RuntimeError(f"{name}: {came} came in, {counted - base} were counted")
    return rate


@contextlib.contextmanager
def full_socket():
    """Bound, never read: what the stack does for a datagram is done, but for the reader's part."""
    program = (f"import socket, sys\ns = socket.socket(type=socket.SOCK_DGRAM)\ns.bind(('{VIP}', 80))\n"
               "print('bound', flush=True)\nsys.stdin.read()")
    holder = subprocess.Popen(["ip", "netns", "exec", RX, sys.executable, "-c", program],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder.stdout.readline()
    yield
    holder.communicate("")


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1
    receivers = [one for one in RECEIVERS if "xt_cluster" not in one[0] or shutil.which("iptables")]
    topology()
    figures = {name: [] for name, _ in receivers}
    try:
        with full_socket():
            for _ in range(rounds):
                for name, receiver in receivers:
                    figures[name].append(measure(name, receiver, seconds))
    finally:
        clear()
    base = figures[receivers[0][0]]
    rows = []
    for name, runs in figures.items():
        ratios = [run / empty for run, empty in zip(runs, base)]
        rows.append({"name": name, "mpps": statistics.median(runs) / 1e6, "ratio": statistics.median(ratios),
                     "least": min(ratios), "most": max(ratios)})
        print(f"{name:56} {rows[-1]['mpps']:8.2f} Mpps  {rows[-1]['ratio']:6.2f}  "
              f"{rows[-1]['least']:.2f}–{rows[-1]['most']:.2f}")
    how = (f"`bench/rate_bench.py`: {rounds} rounds of {seconds:g} s each, interleaved; live frames of one "
           "UDP flow, right checksums, NAPI at the receiving veth. The sender shares the processor with the "
           "receiver, so the figures are of both together.")
    figures_of_run = {"how": how, "kernel": platform.release(), "rows": rows}
    (BUILD / "bench/rates.json").write_text(json.dumps(figures_of_run, indent=1))


if __name__ == "__main__":
    main()
