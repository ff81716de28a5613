#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nlb doctor on a host that is well, then on the same host with one thing broken after the other.

Each fault must be told by exactly its own check (and those that it cannot but cause), with its remedy. The
host is a namespace of its own, without the lab:

    dc-host eth0 ── eth1 dc-wire      10.77.0.11/24 ── 10.77.0.1 (gateway)
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from live import SKIPPED, Failure, Run, need, wait_for

HOST, WIRE = "dc-host", "dc-wire"
CONFIG = """
[cluster]
name = "dcweb"
vips = ["10.77.0.100/24"]
mac_strategy = "{strategy}"
key_file = "{directory}/web.key"
[host]
id = 1
interface = "eth0"
[[port_rule]]
ports = "80"
protocol = "tcp"
"""
SERVICE = """
import socket
listener = socket.create_server(("0.0.0.0", 80))
print("listens", flush=True)
while True:
    listener.accept()
"""
OUTGOING = """
import socket
out = socket.socket()
out.setblocking(False)
out.bind(("10.77.0.100", 0))
out.connect_ex(("10.77.0.9", 9))
print("connecting", flush=True)
import time
time.sleep(60)
"""


def sh(line):
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def remove_namespaces():
    for name in (HOST, WIRE):
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


class Host:
    """One cluster host, and a keeper process whose network and mount namespaces everything else joins."""

    def __init__(self, programs, directory):
        self.programs, self.directory, self.processes = programs, directory, []
        remove_namespaces()
        sh(f"ip netns add {HOST}; ip netns add {WIRE}; "
           f"ip link add eth0 netns {HOST} address 52:54:00:00:00:01 type veth peer name eth1 netns {WIRE}; "
           f"ip -n {HOST} addr add 10.77.0.11/24 dev eth0; ip -n {HOST} link set lo up; "
           f"ip -n {WIRE} addr add 10.77.0.1/24 dev eth1; ip -n {WIRE} link set eth1 up")
        self.plug()
        self.keeper = self.start("ip", "netns", "exec", HOST, "unshare", "-m", "bash", "-c",
                                 "mount -t bpf bpf /sys/fs/bpf && echo ready && exec sleep infinity")
        need(self.keeper.stdout.readline() == "ready\n", "no namespace for the host")
        self.nlbd = None
        sh(f"{programs}/nlb keygen -o {directory}/web.key")
        self.configure("add")
        self.service = None
        self.serve()

    def serve(self):
        self.service = self.start(*self.inside(sys.executable, "-c", SERVICE))
        need(self.service.stdout.readline() == "listens\n", "no service")

    def plug(self):
        sh(f"ip -n {HOST} link set eth0 up; ip -n {HOST} route replace default via 10.77.0.1")

    def configure(self, strategy):
        Path(self.directory, "web.toml").write_text(
            CONFIG.format(directory=self.directory, strategy=strategy), encoding="utf-8")

    def start(self, *words):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
                                   stderr=open(f"{self.directory}/log", "a", encoding="utf-8"))
        self.processes.append(process)
        return process

    def inside(self, *words):
        return ["nsenter", "-t", str(self.keeper.pid), "-n", "-m", *words]

    def do(self, line):
        return sh(" ".join(self.inside("bash", "-c", f"'{line}'")))

    def nlb(self, *words):
        line = self.inside(f"{self.programs}/nlb", "--socket", f"{self.directory}/control.sock", *words)
        return subprocess.run(line, capture_output=True, text=True, check=False)

    def start_nlbd(self):
        self.nlbd = self.start(*self.inside(
            f"{self.programs}/nlbd", "--config", f"{self.directory}/web.toml",
            "--runtime-dir", self.directory, "--state-dir", f"{self.directory}/state"))
        done = self.nlb("query", "--wait-converged", "--timeout", "10")
        need(done.returncode == 0, f"not converged: {done.stderr}")

    def wait_alone(self):
        """Until this host is in no view: it hears nobody, and may not serve alone."""
        wait_for("in no view", lambda: not json.loads(self.nlb("--json", "query").stdout)["members"], 10)

    def stop_nlbd(self, how=signal.SIGTERM):
        self.nlbd.send_signal(how)
        self.nlbd.wait(10)

    def diagnose(self):
        """{id: check} of nlb doctor, and whether its exit code fits."""
        done = self.nlb("doctor", "--json", "--config", f"{self.directory}/web.toml")
        document = json.loads(done.stdout)
        need(document["schema"] == 1, document)
        checks = {check["id"]: check for check in document["checks"]}
        fails = any(check["status"] == "fail" for check in checks.values())
        need(done.returncode == int(fails), f"exit {done.returncode} with {checks}")
        for check in checks.values():
            need((check["status"] == "pass") == (check["remedy"] == ""), f"remedy: {check}")
        return checks

    def end(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.kill()
                process.wait()
        remove_namespaces()
        shutil.rmtree(self.directory, ignore_errors=True)


def act(host, what):
    """A shell line on the host, or something to call."""
    if isinstance(what, str):
        host.do(what)
    else:
        what()


def complaints(checks):
    return {name: check["status"] for name, check in checks.items() if check["status"] != "pass"}


def fault(run, host, title, broken, mended, expected, remedy, tells=None):
    """`expected`: {check: status} while broken, nothing else; `remedy`: words of the first one's remedy."""
    with run.case(title):
        try:
            act(host, broken)
            checks = host.diagnose()
        finally:
            act(host, mended)
        need(complaints(checks) == expected, {name: checks[name] for name in complaints(checks)})
        first = checks[next(iter(expected))]
        need(remedy in first["remedy"], f"the remedy does not say {remedy!r}: {first}")
        need(tells is None or tells in first["detail"], f"the detail does not say {tells!r}: {first}")
        wait_for("well again", lambda: complaints(host.diagnose()) == {}, 10)


def well(run, host, title):
    with run.case(title) as notes:
        begin = time.monotonic()
        checks = host.diagnose()
        notes.append(f"{len(checks)} checks in {time.monotonic() - begin:.1f} s")
        need(complaints(checks) == {}, {name: checks[name] for name in complaints(checks)})


def with_nlbd(run, host):
    """Faults beside a running daemon that does not mend them."""
    wire = f"ip -n {WIRE}"
    rows = [
        ("the link is cut", lambda: (sh(f"{wire} link set eth1 down"), host.wait_alone()),
         lambda: sh(f"{wire} link set eth1 up"),
         {"net.carrier": "fail", "net.gateway": "warn", "cluster.members": "warn"}, "Connect eth0"),
        ("the gateway is silent", lambda: sh(f"{wire} addr del 10.77.0.1/24 dev eth1"),
         lambda: sh(f"{wire} addr add 10.77.0.1/24 dev eth1"), {"net.gateway": "warn"}, "the gateway itself"),
        ("a stranger has the VIP", lambda: sh(f"{wire} addr add 10.77.0.100/32 dev eth1"),
         lambda: sh(f"{wire} addr del 10.77.0.100/32 dev eth1"), {"net.vip-conflict": "fail"},
         "Take 10.77.0.100 off the machine"),
        ("the MTU is small", "ip link set eth0 mtu 1400", "ip link set eth0 mtu 1500",
         {"net.interface": "fail"}, "at least 1500"),
        ("a firewall drops heartbeats",
         "nft add table netdev dcx; nft add chain netdev dcx in \"{ type filter hook ingress device eth0 "
         "priority 0; }\"; nft add rule netdev dcx in ether type 0x88b5 ether saddr 02:00:00:00:00:77 drop",
         "nft delete table netdev dcx", {"net.firewall": "warn"}, "ether type { 0x88b5, arp } accept"),
        ("arp_ignore hides the host", "sysctl -qw net.ipv4.conf.eth0.arp_ignore=8",
         "sysctl -qw net.ipv4.conf.eth0.arp_ignore=0", {"net.arp-sysctl": "warn"}, "arp_ignore=0"),
        ("strict rp_filter without a route",
         "ip route del default; sysctl -qw net.ipv4.conf.eth0.rp_filter=1",
         "sysctl -qw net.ipv4.conf.eth0.rp_filter=0; ip route add default via 10.77.0.1",
         {"net.rp-filter": "warn"}, "net.ipv4.conf.eth0.rp_filter=2"),
        ("the key file can be read by all", f"chmod 0644 {host.directory}/web.key",
         f"chmod 0600 {host.directory}/web.key", {"config.key": "fail"}, "chmod 0600"),
        ("the configuration is wrong", f"echo nonsense = 1 >> {host.directory}/web.toml",
         f"sed -i /nonsense/d {host.directory}/web.toml", {"config.valid": "fail"}, "--check-config"),
    ]
    for title, broken, mended, expected, remedy in rows:
        fault(run, host, title, broken, mended, expected, remedy)


def services(run, host):
    def stop_service():
        host.service.kill()
        host.service.wait()
    fault(run, host, "nothing listens at the port", stop_service, host.serve,
          {"service.listening": "warn"}, "0.0.0.0 or the VIP")
    clients = []
    def connect_out():
        host.do("ip neigh replace 10.77.0.9 lladdr 02:00:00:00:00:09 dev eth0")
        clients.append(host.start(*host.inside(sys.executable, "-c", OUTGOING)))
        need(clients[0].stdout.readline() == "connecting\n", "no client")
    def give_up():
        clients[0].kill()
        clients[0].wait()
    fault(run, host, "a connection goes out from the VIP", connect_out, give_up,
          {"service.outgoing": "warn"}, "dedicated address", "10.77.0.9:9")


def without_nlbd(run, host):
    """What the daemon would mend within half a second is broken while it is gone; its return mends it."""
    rows = [
        ("the guard is removed", "nft delete table inet nlb_eth0", {"net.guard": "fail"},
         "which puts it back"),
        ("the filter is detached", "tc qdisc del dev eth0 clsact", {"net.filter": "fail"}, "start nlbd"),
        ("the cluster MAC is not carried", "bridge fdb del 02:bf:0a:4d:00:64 dev eth0 self",
         {"net.cluster-mac": "fail"},
         "nlb vmswitch set VM --mac-spoofing cluster --cluster dcweb --host-id 1"),
        ("an ingress qdisc is in the way", "tc qdisc del dev eth0 clsact; tc qdisc add dev eth0 ingress",
         {"net.ingress-qdisc": "fail", "net.filter": "fail"}, "tc qdisc del dev eth0 ingress"),
    ]
    for title, broken, expected, remedy in rows:
        # Without the daemon nobody counts what XDP drops; clsact takes the program in tc alone.
        hidden = {"daemon.running": "warn", "net.vip-conflict": "warn"}
        def break_it(line=broken):
            host.stop_nlbd()
            host.do(line)
        def mend_it():
            host.do("tc qdisc del dev eth0 ingress 2>/dev/null || true")
            host.start_nlbd()
        fault(run, host, title, break_it, mend_it, {**expected, **hidden}, remedy)


def under_replace(run, host):
    host.stop_nlbd()
    host.configure("replace")
    host.start_nlbd()
    well(run, host, "all is well under `replace`")
    fault(run, host, "replace: a link-local address made of the cluster MAC",
          "ip addr add fe80::bf:aff:fe4d:64/64 dev eth0 nodad",
          "ip addr del fe80::bf:aff:fe4d:64/64 dev eth0", {"net.eui64": "fail"}, "addrgenmode none")
    fault(run, host, "replace: the address is leased",
          "ip addr change 10.77.0.11/24 dev eth0 valid_lft 3600 preferred_lft 3600",
          "ip addr change 10.77.0.11/24 dev eth0 valid_lft forever preferred_lft forever",
          {"net.dhcp": "fail"}, "static address")
    fault(run, host, "replace: the host forwards", "sysctl -qw net.ipv4.conf.eth0.forwarding=1",
          "sysctl -qw net.ipv4.conf.eth0.forwarding=0", {"net.ip-forward": "warn"}, "forwarding=0")


def events_of(host):
    return [json.loads(line) for line in host.nlb("events", "--json").stdout.splitlines()]


def events(run, host):
    with run.case("events are there after a restart, and a follower sees each once") as notes:
        before = events_of(host)
        need(before, "no events at all")
        followed = Path(host.directory, "followed")
        with followed.open("w", encoding="utf-8") as out:
            follower = subprocess.Popen(
                host.inside(f"{host.programs}/nlb", "--socket", f"{host.directory}/control.sock", "events",
                            "--follow", "--json"), stdout=out, stderr=subprocess.DEVNULL)
        host.processes.append(follower)
        def lines():
            return [json.loads(line) for line in followed.read_text(encoding="utf-8").splitlines()]
        wait_for("the follower begins", lambda: len(lines()) >= len(before), 5)
        host.stop_nlbd()
        host.start_nlbd()
        after = events_of(host)
        need(after[:len(before)] == before and len(after) > len(before), f"{before}\n{after}")
        wait_for("the follower has all", lambda: len(lines()) >= len(after), 5)
        need(lines() == after, f"{lines()}\n{after}")
        notes.append(f"{len(before)} before, {len(after)} after")


def scenario(run, host):
    with run.case("without a daemon, unbound: only that is said"):
        need(complaints(host.diagnose()) == {"daemon.running": "warn", "net.cluster-mac": "warn"},
             host.diagnose())
    host.start_nlbd()
    well(run, host, "all is well")
    events(run, host)
    with_nlbd(run, host)
    services(run, host)
    without_nlbd(run, host)
    under_replace(run, host)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nlb", default="build/bin/nlb", help="the nlb program; nlbd lies beside it")
    parser.add_argument("--name", default="live_doctor")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: network namespaces need root")
        sys.exit(SKIPPED)
    run = Run(options.name, None, False)
    directory = tempfile.mkdtemp(prefix="nlb-doctor-")
    host = None
    try:
        with run.case("the scenario runs to its end"):
            host = Host(str(Path(options.nlb).resolve().parent), directory)
            scenario(run, host)
    finally:
        if run.failed and Path(directory, "log").exists():
            print("---- the end of the log\n" + "".join(
                Path(directory, "log").read_text(errors="replace").splitlines(keepends=True)[-25:]))
        if host is not None:
            host.end()
        run.write()
    sys.exit(run.conclusion())


if __name__ == "__main__":
    main()
