# SPDX-License-Identifier: Apache-2.0
"""Docker's daemon on each host, with its own rules, and nginx in a container whose port 80 is published.

IPv4 is translated to the container (DNAT); IPv6, as Docker is by default, ends at a proxy of Docker's on the
host, whose sockets are local ones. There is no registry: the image is made of this machine's nginx."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from client import stream_byte
from ipv6 import VIP6, ask
from live import need, need_no_failure, wait_for
from place import Place
from translated import HOSTS, NGINX, RATE, SECONDS, asks_at, moves, noticed

PREPARE = "rm -rf /etc/docker; mkdir /run/docker"
DAEMON = ["dockerd", "-H", "unix:///run/docker.sock", "--data-root", "/run/data", "--exec-root",
          "/run/docker", "--pidfile", "/run/docker.pid", "--storage-driver", "vfs", "--iptables=true"]
CLIENT = "docker -H unix:///run/docker.sock"


def image(directory, host):
    """The root of a container: nginx, what it is linked with, its configuration, what it serves."""
    nginx = shutil.which("nginx")
    linked = subprocess.run(["ldd", nginx], capture_output=True, text=True, check=True).stdout
    for name in [nginx, "/etc/passwd", "/etc/group", *re.findall(r"(/\S+) \(0x", linked)]:
        target = directory / name[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, target)
    www = directory / "www"
    www.mkdir()
    (www / "nginx.conf").write_text(NGINX.format(place="/www", host=host, rate=RATE), encoding="utf-8")
    (www / "stream").write_bytes(bytes(map(stream_byte, range(SECONDS * RATE))))
    return nginx


class Docker:
    """dockerd on a host of the lab, and one container."""

    def __init__(self, lab, host):
        self.lab, self.host = lab, host
        # Not by `ip netns exec`: it takes /sys/fs/cgroup away.
        enter = ["nsenter", f"--net=/run/netns/nlb-host{host}"]
        self.place = Place(enter, PREPARE, f"{lab.root}/host{host}/docker.log")
        try:
            self.place.start(*DAEMON)
            wait_for(f"Docker's daemon of host {host}", lambda: self.client("info").returncode == 0, 20)
            self.publish()
        except Exception:
            self.end()
            raise

    def client(self, words):
        return self.place.run(f"{CLIENT} {words}")

    def publish(self):
        with tempfile.TemporaryDirectory() as directory:
            nginx = image(Path(directory), self.host)
            with subprocess.Popen(["tar", "-C", directory, "-c", "."], stdout=subprocess.PIPE) as archive:
                done = subprocess.run(self.place.words(*CLIENT.split(), "import", "-", "web"), text=True,
                                      stdin=archive.stdout, capture_output=True, check=False)
            need(done.returncode == 0, done.stderr)
        done = self.client(f"run -d --name web -p 80:80 web {nginx} -c /www/nginx.conf -e /www/nginx.log")
        need(done.returncode == 0, done.stderr)

    def asks(self):
        return asks_at(self.lab, self.host)

    def end(self):
        self.client("rm -f web")
        self.place.end()


def end_own_service(lab, host):
    pid = Path(lab.root, f"host{host}", "service.pid").read_text(encoding="utf-8").split()[0]
    os.kill(int(pid), signal.SIGKILL)  # its port is the container's
    wait_for("the lab's own service has ended", lambda: not Path("/proc", pid).exists(), 3)


def scenario(run):
    lab, dockers = run.lab, []
    lab.up("--ipv6", "--client-addresses", 4)
    try:
        for host in HOSTS:
            end_own_service(lab, host)
            dockers.append(Docker(lab, host))
        with run.case("Docker: a published port serves: IPv4 by DNAT, IPv6 by Docker's proxy") as notes:
            rules = dockers[0].place.do("nft list table ip nat 2>/dev/null")
            need("dnat to" in rules, f"Docker translates nothing: {rules}")
            forwards = dockers[0].place.do("cat /proc/sys/net/ipv4/ip_forward")
            need(forwards.strip() == "1", "Docker has not made the host forward")
            figures = ask(lab, "load", VIP6, 150)
            need_no_failure(figures)
            need({*map(str, HOSTS)} == set(figures["hosts"]), figures)
            notes.append(f"{figures['hosts']}")
        noticed(run, dockers)
        moves(run, dockers)
    finally:
        for docker in dockers:
            docker.end()
