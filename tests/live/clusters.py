#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several VIPs in a cluster, and several clusters on the same hosts: one an interface, each for itself."""
import json
import re
import subprocess
import time
from pathlib import Path

from live import HTTP, VIP, main, need, need_no_failure, shares, wait_for
from streams import while_streaming

HOSTS = (1, 2)
SECOND_VIP, TAKEN_VIP, OTHER_VIP = "10.77.0.110", "10.77.0.111", "10.78.0.100"


def on(lab, node, line, **options):
    return lab.lab("exec", node, "--", "sh", "-c", line, **options)


def addresses(lab, host):
    return on(lab, f"host{host}", "ip -o -4 addr show dev eth0").stdout


def adapter(lab, host):
    return json.loads(lab.host(host, "--json", "display").stdout)["adapter"]


def files(lab):
    return [Path(lab.root, f"host{host}", "web.toml").read_text() for host in HOSTS]


def write_vips(lab, host, *vips):
    path = Path(lab.root, f"host{host}", "web.toml")
    words = ", ".join(f'"{vip}/24"' for vip in vips)
    path.write_text(re.sub(r"(?m)^vips\s*=.*", f"vips = [{words}]", path.read_text()))


def vip_change(run):
    """All members at once, by `nlb vip`; then by files and reloads, as administrators do host by host."""
    lab = run.lab

    def change(notes):
        process = lab.start_load(900, "--rate", 300)
        lab.host(2, "vip", "add", f"{SECOND_VIP}/24")
        lab.wait_members(HOSTS)
        figures = lab.load(100, to=f"{SECOND_VIP}:80")
        need_no_failure(figures)
        need(set(shares(figures)) == set(HOSTS), figures)
        lab.host(1, "vip", "remove", SECOND_VIP)
        lab.wait_members(HOSTS)
        for host in HOSTS:
            need(SECOND_VIP not in addresses(lab, host) and VIP in addresses(lab, host), addresses(lab, host))
        figures = lab.finish(process)
        need_no_failure(figures)
        notes.append(f"slowest new connection meanwhile {figures['latency_ms']['max']:.0f} ms")

    title = "a VIP is added and removed: the other VIP's connections go on, new ones too"
    while_streaming(run, title, change, seconds=5)

    def reload(notes):
        for vips in ((VIP, SECOND_VIP), (VIP,)):
            for host in HOSTS:
                write_vips(lab, host, *vips)
                lab.host(host, "reload")
                need_no_failure(lab.load(50))
            lab.wait_members(HOSTS)
        notes.append("host by host; in between, they differ")

    while_streaming(run, "the same by files and reloads", reload, seconds=5)


class Second:
    """Another cluster on the lab's hosts: its own interface, segment, name, key, service and directories."""

    def __init__(self, lab):
        self.lab = lab
        self.root = Path(lab.root, "second")
        self.root.mkdir()
        self.daemons = {}
        lab.command("keygen", self.root / "mail.key")
        self.nlbd = str(Path(lab.nlb_path).parent / "nlbd")

    def wire(self):
        make = "ip -n nlb-switch link add nlbsw1 type bridge && ip -n nlb-switch link set nlbsw1 up"
        for node, address in (("host1", 11), ("host2", 12), ("client1", 201)):
            make += (f" && ip link add p2-{node} netns nlb-switch type veth peer name eth1 netns nlb-{node}"
                     f" && ip -n nlb-switch link set p2-{node} master nlbsw1 up"
                     f" && ip -n nlb-{node} address add 10.78.0.{address}/24 dev eth1"
                     f" && ip -n nlb-{node} link set eth1 up")
        make += (" && ip -n nlb-host1 link add spare0 type veth peer name spare1"
                 " && ip -n nlb-host1 address add 10.78.0.21/24 dev spare0"
                 " && ip -n nlb-host1 link set spare0 up && ip -n nlb-host1 link set spare1 up")
        subprocess.run(["sh", "-ec", make], check=True)

    def directory(self, host):
        return self.root / f"host{host}"

    def start(self, host, interface="eth1", name="mail", wait=True, directory=None):
        path = Path(directory or self.directory(host))
        path.mkdir(exist_ok=True)
        (path / "mail.toml").write_text(f"""
[cluster]
name = "{name}"
vips = ["{OTHER_VIP}/24"]
key_file = "{self.root}/mail.key"
[host]
id = {host}
interface = "{interface}"
prove_path = false
[[port_rule]]
vip = "{OTHER_VIP}"
ports = "80"
protocol = "tcp"
affinity = "none"
""", encoding="utf-8")
        command = [self.nlbd, "--config", path / "mail.toml", "--runtime-dir", path,
                   "--state-dir", path / "state"]
        with open(path / "nlbd.log", "a", encoding="utf-8") as log:
            process = subprocess.Popen(["ip", "netns", "exec", f"nlb-host{host}", *map(str, command)],
                                       stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if wait:
            self.daemons[host] = process
        return process

    def query(self, host):
        socket = self.directory(host) / "control.sock"
        done = self.lab.command("--socket", socket, "--json", "query", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def refused(self, host, *parts, **how):
        """A daemon that must not start; what it says."""
        path = self.root / "refused"
        process = self.start(host, wait=False, directory=how.pop("directory", path), **how)
        need(process.wait(timeout=5) == 1, "it started")
        log = (Path(process.args[process.args.index("--runtime-dir") + 1]) / "nlbd.log")
        said = log.read_text(encoding="utf-8")
        need(all(part in said for part in parts), said)

    def end(self):
        for process in self.daemons.values():
            process.terminate()
        for process in self.daemons.values():
            process.wait(timeout=10)
        self.daemons.clear()


def two_clusters(run):
    lab = run.lab
    second = Second(lab)
    try:
        with run.case("a second cluster on the second interface converges beside the first") as notes:
            second.wire()
            for host in HOSTS:
                second.start(host)
            converged = lambda: all(second.query(host).get("state") == "converged" and
                                    len(second.query(host)["members"]) == 2 for host in HOSTS)
            notes.append(f"within {wait_for('the second cluster has converged', converged, 8):.1f} s")
            for to in (HTTP, f"{OTHER_VIP}:80"):
                figures = lab.load(200, to=to)
                need_no_failure(figures)
                need(set(shares(figures)) == set(HOSTS), f"{to}: {figures}")
        with run.case("same interface, same name, same directory: refused, and said"):
            second.refused(1, "eth1 is already served by another nlbd", name="third")
            second.refused(1, "a cluster named web is already served", interface="spare0", name="web")
            second.refused(1, "is the runtime directory of another nlbd", interface="spare0", name="third",
                           directory=second.directory(1))

        def end_the_second(notes):
            for host in HOSTS:
                lab.command("--socket", second.directory(host) / "control.sock", "stop")
            figures = lab.load(50, "--limit-ms", 300, to=f"{OTHER_VIP}:80")
            need(figures["ok"] == 0, f"a stopped cluster serves: {figures}")
            second.end()
            need_no_failure(lab.load(200))
            need(lab.members(1) == list(HOSTS), "the first cluster has changed")

        while_streaming(run, "the second one ends: the first one is whole", end_the_second, seconds=3)
    finally:
        second.end()


def taken_vip(run):
    """An address that a stranger has, and changes that come faster than an address is claimed."""
    lab = run.lab
    on(lab, "client1", f"ip addr add {TAKEN_VIP}/24 dev eth0")

    def add(notes):
        before = files(lab)
        done = lab.host(2, "vip", "add", f"{TAKEN_VIP}/24", check=False)
        need(done.returncode == 1 and f"{TAKEN_VIP} is used by" in done.stderr, f"{done}")
        notes.append(done.stderr.strip().splitlines()[-1])
        need(before == files(lab), "a file has changed")
        need(all(lab.state(host) == "converged" for host in HOSTS), "a host is out of service")
        need_no_failure(lab.load(100))

    title = "`nlb vip add` of an address in use: nothing is changed, all is served"
    while_streaming(run, title, add, seconds=4)
    with run.case("a VIP that is removed while it is claimed is on no adapter afterwards"):
        lab.host(2, "vip", "add", f"{SECOND_VIP}/24")
        lab.host(2, "vip", "remove", SECOND_VIP)
        lab.wait_members(HOSTS)
        end = time.monotonic() + 1  # longer than a claim takes
        while time.monotonic() < end:
            need(all(SECOND_VIP not in addresses(lab, host) for host in HOSTS), "it is there again")
    with run.case("by file and reload, in another VIP's place: found before it is added, and said so"):
        for host in HOSTS:
            write_vips(lab, host, VIP, SECOND_VIP)
            lab.host(host, "reload")
        lab.wait_members(HOSTS)
        for host in HOSTS:
            wait_for("it is there", lambda host=host: SECOND_VIP in addresses(lab, host), 5)
        write_vips(lab, 1, VIP, TAKEN_VIP)
        lab.host(1, "reload")
        wait_for("the conflict is found", lambda: adapter(lab, 1)["reason"] == "ip-conflict", 5)
        need(TAKEN_VIP not in addresses(lab, 1), addresses(lab, 1))
        need(not lab.events(1, "vip_removed"), f"nobody took a VIP off: {lab.events(1, 'vip_removed')}")
    with run.case("and it heals when the file is mended"):
        for host in HOSTS:
            write_vips(lab, host, VIP)
            lab.host(host, "reload")
        lab.wait_members(HOSTS)
        need_no_failure(lab.load(100))
        on(lab, "client1", f"ip addr del {TAKEN_VIP}/24 dev eth0")


def scenario(run):
    run.lab.up("--client-addresses", 4, hosts=2)
    vip_change(run)
    taken_vip(run)
    two_clusters(run)


if __name__ == "__main__":
    main(scenario)
