#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several VIPs in a cluster, and several clusters on the same hosts: one an interface, each for itself."""
import json
import re
import subprocess
from pathlib import Path

from live import HTTP, VIP, main, need, need_no_failure, shares, wait_for
from streams import while_streaming

HOSTS = (1, 2)
SECOND_VIP, OTHER_VIP = "10.77.0.110", "10.78.0.100"


def on(lab, node, line, **options):
    return lab.lab("exec", node, "--", "sh", "-c", line, **options)


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
            shown = on(lab, f"host{host}", "ip -o addr show dev eth0").stdout
            need(SECOND_VIP not in shown and VIP in shown, shown)
        figures = lab.finish(process)
        need_no_failure(figures)
        notes.append(f"slowest new connection meanwhile {figures['latency_ms']['max']:.0f} ms")

    title = "a VIP is added and removed: the other VIP's connections go on, new ones too"
    while_streaming(run, title, change, seconds=5)

    def reload(notes):
        for vips in (f'"{VIP}/24", "{SECOND_VIP}/24"', f'"{VIP}/24"'):
            for host in HOSTS:
                path = Path(lab.root, f"host{host}", "web.toml")
                path.write_text(re.sub(r"(?m)^vips\s*=.*", f"vips = [{vips}]", path.read_text()))
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


def scenario(run):
    run.lab.up("--client-addresses", 4, hosts=2)
    vip_change(run)
    two_clusters(run)


if __name__ == "__main__":
    main(scenario)
