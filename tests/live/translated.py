#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""keep-flow for services without a socket on the host: nginx behind DNAT, in a namespace of its own, by IPv4
and IPv6. Clients download slowly, and check every byte.

On hosts 1 and 2 something else still listens at the port; host 3 has no listener."""
import json
import os
import signal
import subprocess
from pathlib import Path

from client import stream_byte
from ipv6 import VIP6, client, figures_of
from live import VIP, main, need, need_no_failure, shares, wait_for
from streams import wait_state, while_streaming

HOSTS = (1, 2, 3)
COUNT6 = 20  # downloads by IPv6, beside the 60 by IPv4
SECONDS = 4  # of a download
RATE = 16384  # octets a second, by a KiB: nginx would send what a second allows at once
INSIDE, INSIDE6 = "172.18.0.2", "fd72::2"
DNAT = f"""
table ip published {{
  chain prerouting {{
    type nat hook prerouting priority -100;
    ip daddr {VIP} tcp dport 80 dnat to {INSIDE}:80
  }}
}}
table ip6 published {{
  chain prerouting {{
    type nat hook prerouting priority -100;
    ip6 daddr {VIP6} tcp dport 80 dnat to [{INSIDE6}]:80
  }}
}}
"""
NGINX = """
user root; daemon off; worker_processes 1; pid {place}/nginx.pid; error_log {place}/nginx.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_timeout 0; client_body_temp_path {place}; proxy_temp_path {place};
  fastcgi_temp_path {place}; uwsgi_temp_path {place}; scgi_temp_path {place};
  server {{
    listen 80; listen [::]:80; root {place}; add_header X-NLB-Host {host};
    location = / {{ return 200 "host={host}\\n"; }}
    location = /stream {{ limit_rate {rate}; sendfile_max_chunk 1k; }}
  }}
}}
"""


class Container:
    """nginx in a network namespace that lasts as long as the process."""

    def __init__(self, lab, host):
        self.lab, self.host = lab, host
        place = Path(lab.root, f"host{host}")
        (place / "nginx.conf").write_text(NGINX.format(place=place, host=host, rate=RATE), encoding="utf-8")
        (place / "stream").write_bytes(bytes(map(stream_byte, range(SECONDS * RATE))))
        inside = ["unshare", "--net", "nginx", "-c", place / "nginx.conf", "-e", place / "nginx.log"]
        self.process = subprocess.Popen(["ip", "netns", "exec", f"nlb-host{host}", *inside],
                                        stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        wait_for(f"the container of host {host}", self.is_apart, 3)
        enter = f"nsenter --net=/proc/{self.process.pid}/ns/net"
        self.on_host("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 && "
                     f"ip link add inner0 type veth peer name eth0 netns {self.process.pid} && "
                     "ip address add 172.18.0.1/24 dev inner0 && "
                     "ip address add fd72::1/64 dev inner0 nodad && "
                     f"ip link set inner0 up && {enter} ip address add {INSIDE}/24 dev eth0 && "
                     f"{enter} ip address add {INSIDE6}/64 dev eth0 nodad && {enter} ip link set eth0 up && "
                     f"{enter} ip route add default via 172.18.0.1 && "
                     f"{enter} ip route add default via fd72::1")
        (place / "published.nft").write_text(DNAT, encoding="utf-8")
        self.on_host(f"nft -f {place / 'published.nft'}")

    def is_apart(self):
        pid = self.process.pid
        mine = os.readlink(f"/proc/{pid}/ns/net")
        hosts = self.on_host("readlink /proc/self/ns/net").strip()
        return mine not in (hosts, os.readlink("/proc/self/ns/net"))

    def on_host(self, line):
        return self.lab.lab("exec", f"host{self.host}", "--", "sh", "-c", line).stdout

    def asks(self):
        return asks_at(self.lab, self.host)


def asks_at(lab, host):
    """Segments that connection tracking was asked about: [known there, dropped]."""
    listing = lab.lab("exec", f"host{host}", "--", "sh", "-c",
                      "nft list chain inet nlb_eth0 tracking 2>/dev/null || true").stdout
    counters = [line.split("packets ")[1] for line in listing.splitlines() if "packets " in line]
    return [int(counter.split()[0]) for counter in counters]


def end(containers):
    for container in containers:
        container.process.send_signal(signal.SIGTERM)
        container.process.wait(10)


def while_downloading(run, title, action, afterwards=None):
    """60 downloads by IPv4 and some by IPv6 are under way; after a second `action(notes)` happens."""
    both = {}

    def with_ipv6(notes):
        process = client(run.lab, "streams", VIP6, COUNT6, SECONDS)
        need("running" in process.stderr.readline(), "the downloads by IPv6 did not start")
        try:
            action(notes)
        finally:
            both.update(figures_of(process))

    def whole(notes):
        need(both["failed"] == 0 and both["bytes"] == COUNT6 * SECONDS * RATE, f"by IPv6: {both}")
        notes.append(f"by IPv6 {COUNT6} of {COUNT6}: {both['hosts']}")
        if afterwards:
            afterwards(notes, both["hosts"])

    while_streaming(run, title, with_ipv6, whole, seconds=SECONDS)


def noticed(run, containers):
    lab = run.lab
    with run.case("the containers serve, and that is noticed") as notes:
        figures = lab.load(200, "--source", "all")
        need_no_failure(figures)
        need(set(shares(figures)) == set(HOSTS), figures)
        process = lab.start_streams(30, SECONDS)
        took = wait_for("all guards ask connection tracking",
                        lambda: all(len(container.asks()) == 2 for container in containers), 2.5)
        need(lab.finish(process)["ok"] == 30, "streams broke while the guards were changed")
        notes.append(f"within {took:.1f} s")


def moves(run, containers):
    lab = run.lab

    def drain(notes):
        need(all(len(container.asks()) == 2 for container in containers), "a guard does not ask")
        total = json.loads(lab.host(3, "--json", "connections").stdout)["total"]
        need(total > 5, f"`nlb connections` at host 3 counts {total}")
        lab.host(3, "drainstop")
        wait_state(lab, 3, "draining", 1)
        lab.wait_members([1, 2], draining=[3])
        figures = lab.load(300)
        need_no_failure(figures)
        need(3 not in shares(figures), f"the draining host takes new connections: {figures}")
        need(lab.state(3) == "draining", "its connections were not counted")

    def drained(notes, hosts6):
        need("3" in hosts6, f"none of the downloads by IPv6 was at the draining host: {hosts6}")
        known, dropped = containers[2].asks()
        need(known > 50, f"host 3 asked about {known + dropped} segments, and knew {known}")
        notes.append(f"host 3 knew {known} segments")
        wait_state(lab, 3, "stopped", 15)

    while_downloading(run, "a drain: connections of the container go on", drain, drained)

    def join(notes):
        lab.host(3, "start")
        lab.wait_members(HOSTS)
        figures = lab.load(300)
        need_no_failure(figures)
        need(shares(figures).get(3, 0) > 15, f"the joiner serves too little: {figures}")

    def joined(notes, _):
        dropped = containers[2].asks()[1]
        need(dropped > 50, f"host 3 met {dropped} segments of others' connections")
        notes.append(f"host 3 dropped {dropped} segments of connections that are others'")

    while_downloading(run, "a join: connections stay where they are", join, joined)


def restarts(run):
    lab = run.lab

    def restart(_):
        lab.lab("restart", "host2")
        lab.lab("fault", "kill", "host1")
        lab.lab("start", "host1")
        lab.wait_members(HOSTS)
        need_no_failure(lab.load(200))

    while_downloading(run, "nlbd of host 2 restarts as planned, that of host 1 crashes", restart)


def scenario(run):
    lab = run.lab
    lab.up("--ipv6", "--client-addresses", 4)
    pid = Path(lab.root, "host3", "service.pid").read_text(encoding="utf-8").split()[0]
    os.kill(int(pid), signal.SIGKILL)
    containers = []
    try:
        containers += [Container(lab, host) for host in HOSTS]
        noticed(run, containers)
        moves(run, containers)
        restarts(run)
    finally:
        end(containers)


if __name__ == "__main__":
    main(scenario)
