#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mac-truth, on the wire.

No frame binds the VIP to a MAC other than the cluster MAC, whatever happens; the cluster MAC is never an
Ethernet source; hosts forward nobody's VIP traffic; what is shown is what the kernel has.
"""
import json
import time
from pathlib import Path

from capture import Capture, need_mac_truth
from live import CLUSTER_MAC, VIP, host_mac, main, need, need_no_failure, need_shares, wait_for


def arp_of_client(lab):
    shown = lab.lab("exec", "client1", "--", "ip", "-o", "neigh", "show", VIP).stdout
    return shown.split("lladdr ")[1].split()[0] if "lladdr" in shown else ""


def life_of_a_cluster(lab):
    """Load, a dead host, a rejoin, a drain, a restart: everything that makes hosts speak."""
    need_no_failure(lab.load(300))
    lab.lab("exec", "client1", "--", "ip", "neigh", "flush", "dev", "eth0")
    lab.lab("fault", "kill", "host2", "host")
    lab.wait_members([1, 3])
    lab.lab("start", "host2")
    lab.wait_members([1, 2, 3])
    lab.host(3, "stop")
    lab.wait_members([1, 2])
    # A stopped host on which somebody adds the VIP by hand answers for it neither.
    lab.lab("exec", "host3", "--", "ip", "addr", "add", f"{VIP}/32", "dev", "eth0", check=False)
    lab.lab("exec", "client1", "--", "ip", "neigh", "flush", "dev", "eth0")
    need_no_failure(lab.load(300))
    lab.lab("exec", "host3", "--", "ip", "addr", "del", f"{VIP}/32", "dev", "eth0", check=False)
    lab.host(3, "start")
    lab.wait_members([1, 2, 3])
    lab.lab("restart", "host1")
    need_no_failure(lab.load(300))


def one_mode(run, mode, strategy):
    lab = run.lab
    name = f"{mode}{' ' + strategy if strategy else ''}"
    words = ["--mode", mode] + (["--mac-strategy", strategy] if strategy else [])
    with run.case(f"{name}: the life of a cluster") as notes:
        lab.up(*words, "--ip-forward")
        with Capture(lab, f"arp or host {VIP}") as capture:
            life_of_a_cluster(lab)
        notes.append(need_mac_truth(capture, VIP, CLUSTER_MAC[mode]))
    with run.case(f"{name}: the client knows the VIP by the cluster MAC"):
        need(arp_of_client(lab) == CLUSTER_MAC[mode], arp_of_client(lab))
    with run.case(f"{name}: no host forwards a frame for the VIP"):
        forwarders = [packet for packet in capture.ips() if packet.to_ip == VIP and
                      (packet.source.startswith("52:54:00:4d:01:") or packet.source.startswith("02:0"))]
        need(not forwarders, f"{len(forwarders)} frames, for instance {forwarders[:2]}")
    with run.case(f"{name}: frames leave from the address that the strategy says"):
        senders = {packet.source for packet in capture.ips() if packet.from_ip == VIP}
        wanted = {f"02:{host:02x}:0a:4d:00:64" for host in (1, 2, 3)} if strategy == "replace" else \
            {host_mac(host) for host in (1, 2, 3)}
        need(senders and senders <= wanted, f"{senders}, not {wanted}")
    with run.case(f"{name}: `display` says what the kernel has"):
        for host in (1, 2, 3):
            adapter = json.loads(lab.host(host, "--json", "display").stdout)["adapter"]
            shown = lab.lab("exec", f"host{host}", "--", "ip", "-o", "link", "show", "eth0").stdout
            real = shown.split("link/ether ")[1].split()[0]
            need(adapter["mac_current"] == real, f"host {host}: {adapter} beside {real}")
            need(adapter["mac_cluster"] == CLUSTER_MAC[mode] and adapter["bind"] == "bound", adapter)
            need(real == (CLUSTER_MAC[mode] if strategy == "replace" else host_mac(host)), real)


def from_the_first_frame(run):
    """Before a cluster is formed nothing is known: the moment at which a wrong binding is likeliest."""
    lab = run.lab
    lab.up("--mac-strategy", "add")
    with run.case("from the first frame of three booting hosts") as notes:
        for host in (1, 2, 3):
            lab.lab("fault", "kill", f"host{host}", "host")
        with Capture(lab, f"arp or host {VIP}") as capture:
            for host in (1, 2, 3):
                lab.lab("start", f"host{host}", "--timeout", 0)
            wait_for("the cluster serves", lambda: lab.load(20, "--limit-ms", 300)["failed"] == 0, 20)
            time.sleep(1)
        notes.append(need_mac_truth(capture, VIP, CLUSTER_MAC["unicast"]))


def reach(run):
    """Windows hosts in unicast mode cannot reach each other; ours can."""
    lab = run.lab
    with run.case("hosts reach each other at their dedicated addresses, with `add`"):
        lab.up("--mac-strategy", "add")
        for a, b in ((1, 2), (2, 3), (3, 1)):
            lab.lab("exec", f"host{a}", "--", "ip", "neigh", "flush", "dev", "eth0")
            lab.lab("exec", f"host{a}", "--", "ping", "-c", "2", "-i", "0.2", "-W", "1", f"10.77.0.1{b}")


def mixed(run):
    """One host with `replace` among hosts with `add`: each sends from what its strategy says."""
    lab = run.lab
    with run.case("mixed: host 2 goes over to `replace`, the cluster serves on") as notes:
        lab.up("--mac-strategy", "add")
        path = Path(f"{lab.root}/host2/web.toml")
        path.write_text(path.read_text().replace('"add"', '"replace"'))
        with Capture(lab, f"arp or host {VIP}") as capture:
            lab.lab("restart", "host2")
            lab.wait_members([1, 2, 3])
            lab.lab("exec", "client1", "--", "ip", "neigh", "flush", "dev", "eth0")
            figures = lab.load(3000)
        need_no_failure(figures)
        notes.append(need_shares(figures, {1: 100 / 3, 2: 100 / 3, 3: 100 / 3}, 4))
        notes.append(need_mac_truth(capture, VIP, CLUSTER_MAC["unicast"]))
        senders = {packet.source for packet in capture.ips() if packet.from_ip == VIP}
        wanted = {host_mac(1), host_mac(2), "02:02:0a:4d:00:64", host_mac(3)}
        need(senders <= wanted and "02:02:0a:4d:00:64" in senders, f"{senders}, not {wanted}")
        adapter = json.loads(lab.host(2, "--json", "display").stdout)["adapter"]
        need(adapter["mac_strategy"] == "replace", adapter)
        need(adapter["mac_current"] == CLUSTER_MAC["unicast"], adapter)
    with run.case("mixed: every node reaches every other"):
        for node in ("client1", "host1", "host2", "host3"):
            for address in ("10.77.0.1", "10.77.0.11", "10.77.0.12", "10.77.0.13", "10.77.0.201"):
                lab.lab("exec", node, "--", "ping", "-c", "1", "-W", "2", "-q", address)


def scenario(run):
    reach(run)
    mixed(run)
    one_mode(run, "unicast", "add")
    one_mode(run, "unicast", "replace")
    if run.full:
        one_mode(run, "multicast", None)
        one_mode(run, "igmp", None)
    from_the_first_frame(run)


if __name__ == "__main__":
    main(scenario)
