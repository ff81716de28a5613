#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""IPv6 beside IPv4, with real clients and servers: shares, moves, echo, and the truth of neighbour discovery
on the wire."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from capture import Capture, need_nd_truth
from live import CLUSTER_MAC, host_mac, main, need, need_no_failure, need_shares, wait_for

VIP6 = "fd77::100"
CLUSTER = CLUSTER_MAC["unicast"]
EVEN = {1: 100 / 3, 2: 100 / 3, 3: 100 / 3}
CLIENT = str(Path(__file__).with_name("client.py"))
GOOD, ERROR = "1", "8388608"  # tshark's checksum status and severity


def client(lab, *words, where="client1"):
    in_lab, outside = [lab.nlb_path, "lab", "exec", where, "--"], ["ip", "netns", "exec", where]
    enter = in_lab if where == "client1" else outside
    return subprocess.Popen([*enter, sys.executable, CLIENT, *map(str, words)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)


def figures_of(process):
    out, problems = process.communicate(timeout=60)
    need(out.strip(), f"no figures: {problems}")
    return json.loads(out.strip().splitlines()[-1])


def ask(lab, *words, **where):
    return figures_of(client(lab, *words, **where))


def discovery_is_sound(captures, path):
    """tshark, which knows nothing of us, reads every frame of ours."""
    path.write_bytes(captures[0].raw + b"".join(capture.raw[24:] for capture in captures[1:]))
    fields = ["icmpv6.checksum.status", "_ws.malformed", "_ws.expert.severity"]
    words = ["tshark", "-r", str(path), "-Y", "icmpv6.type >= 133 && icmpv6.type <= 137", "-T", "fields"]
    for field in fields:
        words += ["-e", field]
    frames = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    path.unlink()
    need(frames, "there is no neighbour discovery in the captures")
    split = [frame.split("\t") for frame in frames]
    faulty = [frame for frame in split if frame[:2] != [GOOD, ""] or ERROR in frame[2]]
    need(not faulty, f"{len(faulty)} of {len(frames)} frames are malformed: {faulty[:3]}")
    return f"{len(frames)} frames of neighbour discovery, none malformed"


def moves(run):
    lab = run.lab
    with run.case("30 streams outlive a drain and a join") as notes:
        process = client(lab, "streams", VIP6, 30, 6)
        try:
            need("running" in process.stderr.readline(), "the streams did not start")
            lab.host(3, "drainstop")
            lab.wait_members([1, 2])
            drained = ask(lab, "load", VIP6, 100)
            need_no_failure(drained)
            need("3" not in drained["hosts"], f"the draining host takes new connections: {drained}")
            lab.host(3, "start")
            lab.wait_members([1, 2, 3])
            joined = ask(lab, "load", VIP6, 150)
            need_no_failure(joined)
            need(joined["hosts"].get("3", 0) > 20, f"the joiner serves too little: {joined}")
        finally:
            streams = figures_of(process)
        need_no_failure(streams)
        need(len(streams["hosts"]) == 3, f"the streams were not on all hosts: {streams}")
        notes.append(f"{streams['hosts']}")


def add(run):
    lab = run.lab
    lab.up("--ipv6", "--mac-spoofing", "cluster", "--mac-strategy", "add")
    with Capture(lab, "ip6 or arp") as capture:
        with run.case("600 connections over IPv6: none fails, shares are even") as notes:
            figures = ask(lab, "load", VIP6, 600)
            need_no_failure(figures)
            notes.append(need_shares(figures, EVEN, 8))
        with run.case("IPv4 is served beside it") as notes:
            figures = lab.load(600)
            need_no_failure(figures)
            notes.append(need_shares(figures, EVEN, 8))
        with run.case("the VIP's echo is answered once"):
            done = lab.lab("exec", "client1", "--", "ping", "-6", "-c", 20, "-i", "0.05", "-q", VIP6)
            need("duplicates" not in done.stdout and " 0% packet loss" in done.stdout, done.stdout)
        with run.case("every member's `filter` names the same host"):
            words = ["--json", "filter", "--client", "[fd77::201]:40000", "--to", f"[{VIP6}]:80",
                     "--protocol", "tcp"]
            said = {json.loads(lab.host(host, *words).stdout)["host"] for host in (1, 2, 3)}
            need(len(said) == 1 and said <= {1, 2, 3}, said)
        moves(run)
    truth(run, capture, {host_mac(host) for host in (1, 2, 3)})
    with run.case("the VIP is never a source of the host's own: it is deprecated, and said to be there"):
        shown = lab.lab("exec", "host1", "--", "ip", "-6", "-o", "addr", "show", "to", VIP6).stdout
        need("/128" in shown and "deprecated" in shown and "tentative" not in shown, shown)
        route = lab.lab("exec", "host1", "--", "ip", "-6", "route", "get", "fd77::201").stdout
        need("src fd77::11" in route, route)
    return capture


def truth(run, capture, senders):
    with run.case("no frame binds the VIP to another MAC, and the cluster MAC is never a source") as notes:
        notes.append(need_nd_truth(capture, VIP6, CLUSTER, senders))


def replace(run):
    """The other strategy, on a switch without a guard; and a stranger who has the address."""
    lab = run.lab
    lab.up("--ipv6", "--mac-strategy", "replace")
    masked = {f"02:{host:02x}:0a:4d:00:64" for host in (1, 2, 3)}
    with Capture(lab, "ip6") as capture:
        with run.case("`replace`: 300 connections, none fails") as notes:
            figures = ask(lab, "load", VIP6, 300)
            need_no_failure(figures)
            notes.append(need_shares(figures, EVEN, 10))
        with run.case("`replace`: hosts reach each other at their dedicated addresses"):
            for a, b in ((1, 2), (2, 3)):
                lab.lab("exec", f"host{a}", "--", "ping", "-6", "-c", 1, "-W", 2, "-q", f"fd77::1{b}")
    truth(run, capture, masked)
    with run.case("a stranger with the VIP is a named conflict to a host that boots, and to those that run"):
        lab.lab("fault", "kill", "host2", "host")
        lab.wait_members([1, 3])
        lab.lab("exec", "client1", "--", "ip", "addr", "add", f"{VIP6}/128", "dev", "eth0", "nodad")
        try:
            lab.lab("start", "host2", "--timeout", 0)
            wait_for("host 2 is refused", lambda: lab.state(2) == "refused", 10)
            adapter = json.loads(lab.host(2, "--json", "display").stdout)["adapter"]
            need(adapter["reason"] == "ip-conflict" and "52:54:00:4d:02:01" in adapter["evidence"], adapter)
            shown = lab.lab("exec", "host2", "--", "ip", "-6", "addr", "show", "dev", "eth0").stdout
            need(VIP6 not in shown, f"the VIP was added in spite of it: {shown}")
        finally:
            lab.lab("exec", "client1", "--", "ip", "addr", "del", f"{VIP6}/128", "dev", "eth0")
        lab.wait_members([1, 2, 3])
        said = lab.host(1, "--json", "events").stdout
        need('"ip_conflict"' in said and VIP6 in said, f"host 1 has not noticed: {said[-500:]}")
    return capture


def scenario(run):
    captures = [add(run), replace(run)]
    with run.case("tshark reads our neighbour discovery without a malformed frame") as notes:
        with tempfile.TemporaryDirectory() as directory:
            notes.append(discovery_is_sound(captures, Path(directory) / "discovery.pcap"))


if __name__ == "__main__":
    main(scenario)
