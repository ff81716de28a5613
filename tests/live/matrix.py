#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""{off, cluster, on} × {add, replace} × {1, 3 hosts} on a guarded switch: what comes of each cell, and the
frames that prove it. The capture runs on the bridge, so it holds what the guard let in and nothing else."""
import json
import subprocess

from capture import Capture, need_mac_truth, need_one_owner
from live import CLUSTER_MAC, VIP, host_mac, main, need, need_no_failure, wait_for

CLUSTER = CLUSTER_MAC["unicast"]
REFUSED_AS = {"add": ("rx-filtered", "rx-or-arp-filtered"), "replace": ("tx-filtered",)}


def masked(host):
    return f"02:{host:02x}:0a:4d:00:64"


def adapter(lab, host):
    return json.loads(lab.host(host, "--json", "display").stdout)["adapter"]


def violations(lab):
    text = lab.lab("exec", "switch", "--", "nlb", "vmswitch", "--json", "violations").stdout
    return [(one["vm"], one["reason"], one["address"]) for one in json.loads(text)["violations"]]


def need_refused(lab, capture, strategy, hosts):
    """Nothing of the cluster got in; the adapters are as they were; the guilty port is named."""
    sources = set(capture.sources())
    clusters = {CLUSTER, *map(masked, range(1, 65))}
    need(not sources & clusters, f"frames came from {sources & clusters}")
    bound = [arp for arp in capture.arps() if CLUSTER in (arp.sender_mac, arp.target_mac)]
    need(not bound, f"ARP with the cluster MAC got in: {bound[:2]}")
    for host in range(1, hosts + 1):
        # The bind is tried again now and then; while it is, the cluster MAC is there.
        gone = lambda h=host: adapter(lab, h)["cluster_mac_in"] == "none"
        wait_for(f"host {host} has no cluster MAC", gone, 5)
        shown = adapter(lab, host)
        need(shown["bind"] == "refused" and shown["reason"] in REFUSED_AS[strategy], shown)
        need(shown["mac_current"] == host_mac(host), shown)
        need((f"web{host}", "foreign_cluster") in {v[:2] for v in violations(lab)}, violations(lab))
    return shown["reason"]


def need_served(lab, capture, strategy, hosts):
    """Served by all, the frames come from the MACs of the strategy, the VIP is bound to the cluster MAC."""
    need_mac_truth(capture, VIP, CLUSTER)
    need_one_owner(capture, VIP, 80)
    answers = {packet.source for packet in capture.ips() if packet.from_ip == VIP}
    sender = masked if strategy == "replace" else host_mac
    need(answers == {sender(host) for host in range(1, hosts + 1)}, f"answers came from {answers}")
    for host in range(1, hosts + 1):
        shown = adapter(lab, host)
        where = "address" if strategy == "replace" else "receive-filter"
        need(shown["bind"] == "bound" and shown["cluster_mac_in"] == where, shown)
    need(not violations(lab), violations(lab))
    return f"answers from {', '.join(sorted(answers))}"


def cell(run, spoofing, strategy, hosts):
    lab = run.lab
    with run.case(f"{spoofing} × {strategy} × {hosts}") as notes:
        lab.up("--mac-spoofing", spoofing, "--mac-strategy", strategy, hosts=hosts)
        with Capture(lab, f"arp or (tcp and host {VIP}) or ether proto 0x88b5") as capture:
            if spoofing == "off":
                for host in range(1, hosts + 1):
                    lab.lab("restart", f"host{host}", "--timeout", 10)  # the proof, under the capture
            else:
                lab.lab("exec", "client1", "--", "ip", "neigh", "flush", "dev", "eth0")
                need_no_failure(lab.load(60 * hosts))
        judge = need_refused if spoofing == "off" else need_served
        notes.append(judge(lab, capture, strategy, hosts))


def containment(run):
    """A promiscuous guest that is no member: bridges flood, the guard keeps the cluster's frames off it."""
    lab = run.lab
    with run.case("a port that is no member sees neither heartbeat nor frame to the cluster MAC") as notes:
        lab.up("--mac-spoofing", "cluster", "--clients", 2)
        wanted = f"ether proto 0x88b5 or ether dst {CLUSTER}"
        listen = ["tcpdump", "-i", "eth0", "-n", "-Q", "in", *wanted.split()]
        spy = subprocess.Popen([lab.nlb_path, "lab", "exec", "client2", "--", *listen], text=True,
                               stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        greeting = spy.stderr.readline() + spy.stderr.readline()
        need("listening" in greeting, f"the spy does not listen: {greeting}")
        with Capture(lab, wanted) as capture:
            need_no_failure(lab.load(300))
        spy.terminate()
        seen, _ = spy.communicate(timeout=10)
        crossed = len(list(capture.packets()))
        need(crossed > 300, f"only {crossed} such frames crossed the bridge")
        need(not seen.strip(), f"the spy saw {len(seen.splitlines())} of {crossed}: {seen[:300]}")
        notes.append(f"0 of {crossed} frames")


def scenario(run):
    for spoofing in ("off", "cluster", "on"):
        for strategy in ("add", "replace"):
            for hosts in (1, 3):
                cell(run, spoofing, strategy, hosts)
    containment(run)


if __name__ == "__main__":
    main(scenario)
