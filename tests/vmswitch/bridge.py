# SPDX-License-Identifier: Apache-2.0
"""A hypervisor's bridge in network namespaces, for the live tests of nlb-vmswitch.

    SWITCH namespace: br0 with the near ends tap1, tap2, … and the uplink eno1; nlb-vmswitch runs there
    GUESTS namespace: the far ends guest1, guest2, … and wire

Frames are Ethernet with an EtherType of nobody's and a number, sent and taken by packet sockets; sockets are
opened inside the namespaces, so no frame needs a process of its own.
"""
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "live"))
from live import Failure, Run, SKIPPED, need, time_of, wait_for  # pylint: disable=wrong-import-position

ETHER_TYPE = 0x88B7
BROADCAST = "ff:ff:ff:ff:ff:ff"
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

CONFIG = """[[switch]]
bridge = "br0"
uplinks = ["eno1"]
[[cluster]]
name = "web"
type = "nlb"
vips = ["10.77.0.100"]
hosts = [1, 2, 3]
[[port]]
vm = "web1"
interface = "tap1"
mac = "52:54:00:00:00:01"
cluster = "web"
host_id = 1
[[port]]
vm = "web2"
interface = "tap2"
mac = "52:54:00:00:00:02"
[[port]]
vm = "db1"
adapter = "net0"
interface = "tap3"
mac = "52:54:00:00:00:03"
[[port]]
vm = "db1"
adapter = "net1"
interface = "tap4"
mac = "52:54:00:00:00:04"
"""


def mac_of(number):
    return f"52:54:00:00:00:{number:02x}"


def octets(mac):
    return bytes.fromhex(mac.replace(":", ""))


def sh(*words, check=True, given=""):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, input=given)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, words))}: exit {done.returncode}: {done.stderr}{done.stdout}")
    return done


def in_namespace(namespace, act):
    """act(), as of a process in that network namespace; this thread alone goes there and comes back."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        need(LIBC.setns(there, CLONE_NEWNET) == 0, f"cannot enter {namespace}")
        return act()
    finally:
        need(LIBC.setns(home, CLONE_NEWNET) == 0, "cannot return from a namespace")
        os.close(home)
        os.close(there)


def packet_socket(interface, ether_type=3, promiscuous=False):
    """On one interface of the present namespace; 3 = all types (ETH_P_ALL)."""
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ether_type))
    one.bind((interface, ether_type))
    if promiscuous:  # SOL_PACKET, struct packet_mreq
        one.setsockopt(263, 1, struct.pack("IHH8s", socket.if_nametoindex(interface), 1, 0, bytes(8)))
    return one


def waiting(one):
    """(frame, whether this host sent it) of those that wait at a packet socket."""
    while True:
        try:
            data, address = one.recvfrom(1 << 16, socket.MSG_DONTWAIT)
        except OSError:
            return
        yield data, address[2] == socket.PACKET_OUTGOING


class Tap:
    """A packet socket on one interface of a namespace: sends numbered frames, counts what comes in."""

    def __init__(self, namespace, interface, ether_type=ETHER_TYPE):
        self.socket = in_namespace(namespace, lambda: self.opened(interface, ether_type))

    @staticmethod
    def opened(interface, ether_type):
        one = packet_socket(interface, ether_type, promiscuous=True)  # a guest that looks at all it can get
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        return one

    def send(self, source, destination, kind, number=0):
        """kind: one letter by which the frame is known again."""
        payload = kind.encode() + struct.pack("!I", number)
        try:
            self.socket.send(octets(destination) + octets(source) + struct.pack("!H", ETHER_TYPE) + payload +
                             bytes(46))
        except OSError:  # the interface is going or coming
            return False
        return True

    def take(self):
        """(source, kind, number) of the frames that wait; not those that it sent."""
        return [(data[6:12].hex(":"), chr(data[14]), struct.unpack("!I", data[15:19])[0])
                for data, sent in waiting(self.socket) if not sent and len(data) >= 19]

    def close(self):
        self.socket.close()


class Collector(threading.Thread):
    """Takes what comes in at some taps until it is told to end."""

    def __init__(self, *taps):
        super().__init__(daemon=True)
        self.taps, self.frames, self.ended = taps, [], threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.02):
            for tap in self.taps:
                self.frames += tap.take()

    def end(self):
        time.sleep(0.2)  # what is on its way; frames over veth pairs arrive within the send
        self.ended.set()
        self.join()
        for tap in self.taps:
            self.frames += tap.take()
        return self.frames


class Sender(threading.Thread):
    """Calls send(number) about 1500 times a second until it is told to end."""

    def __init__(self, send):
        super().__init__(daemon=True)
        self.send, self.sent, self.ended = send, 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            self.send(self.sent)
            self.sent += 1
            time.sleep(0.0005)

    def end(self):
        self.ended.set()
        self.join()
        return self.sent


class Bridge:
    def __init__(self, nlb, guests=4):
        self.nlb = str(Path(nlb).resolve())
        self.daemon_path = str(Path(self.nlb).parent / "nlb-vmswitch")
        self.switch, self.outside = f"sw-{os.getpid()}-switch", f"sw-{os.getpid()}-guests"
        self.directory = Path(f"/run/opennlb-sw-{os.getpid()}")
        self.config = self.directory / "vmswitch.toml"
        self.socket = self.directory / "run/control.sock"
        self.daemon, self.log = None, None
        self.wrapper = []  # before the command that starts nlb-vmswitch
        self.directory.mkdir()
        self.config.write_text(CONFIG)
        for namespace in (self.switch, self.outside):
            sh("ip", "netns", "add", namespace)
            self.inside("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                        "net.ipv6.conf.default.disable_ipv6=1", namespace=namespace)
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "link", "add", "br0", "type", "bridge")
        self.inside("ip", "link", "set", "br0", "up")
        self.wire("eno1", "wire", "52:54:00:00:00:aa")
        self.join("eno1")
        for number in range(1, guests + 1):
            self.add_guest(number)
            self.join(f"tap{number}")

    def inside(self, *words, namespace=None, check=True):
        return sh("nsenter", f"--net=/run/netns/{namespace or self.switch}", *words, check=check)

    def wire(self, near, far, mac):
        self.inside("ip", "link", "add", near, "type", "veth", "peer", "name", far, "address", mac, "netns",
                    self.outside)
        self.inside("ip", "link", "set", near, "up")
        self.inside("ip", "link", "set", far, "up", namespace=self.outside)

    def add_guest(self, number):
        self.wire(f"tap{number}", f"guest{number}", mac_of(number))

    def join(self, interface):
        self.inside("ip", "link", "set", interface, "master", "br0")

    def open_tap(self, number, flags=0):
        """A tap as QEMU makes it, in place of the guest's veth; it lives while the file is open."""
        self.inside("ip", "link", "del", f"tap{number}", check=False)
        file = in_namespace(self.switch, lambda: os.open("/dev/net/tun", os.O_RDWR))
        flags |= 0x0002 | 0x1000  # IFF_TAP, IFF_NO_PI
        request = struct.pack("16sH22x", f"tap{number}".encode(), flags)
        fcntl.ioctl(file, 0x400454CA, request)  # TUNSETIFF
        self.inside("ip", "link", "set", f"tap{number}", "up")
        return file

    def guest(self, number):
        return Tap(self.outside, f"guest{number}")

    def start(self, *words):
        """nlb-vmswitch as a service runs: by `ip netns exec`, with a /sys of its own."""
        self.log = open(self.directory / "log", "a", encoding="utf-8")
        self.daemon = subprocess.Popen(
            [*self.wrapper, "ip", "netns", "exec", self.switch, self.daemon_path,
             "--config", str(self.config), "--runtime-dir", str(self.directory / "run"), *words],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        wait_for("nlb-vmswitch answers", lambda: self.ask("show", check=False).returncode == 0, 10)

    def stop(self, how=signal.SIGTERM):
        if self.daemon:
            self.daemon.send_signal(how)
            self.daemon.wait(10)
            self.daemon = None

    def restart(self, how, *words):
        self.stop(how)
        self.start(*words)

    def ask(self, *words, check=True):
        done = sh(self.nlb, "--socket", self.socket, "vmswitch", *words, check=False)
        if check and done.returncode != 0:
            raise Failure(f"nlb vmswitch {words}: exit {done.returncode}: {done.stderr}")
        return done

    def show(self):
        return json.loads(self.ask("show", "--json").stdout)

    def port(self, interface):
        shown = self.show()
        ports = [port for one in shown["switches"] for port in one["ports"]] + shown["absent"]
        return next((port for port in ports if port["interface"] == interface), None)

    def events(self):
        lines = self.ask("events", "--limit", "1000", "--json").stdout.splitlines()
        return [json.loads(line) for line in lines]

    def violations(self):
        return json.loads(self.ask("violations", "--json").stdout)["violations"]

    def close(self):
        self.stop(signal.SIGKILL)
        for namespace in (self.switch, self.outside):
            sh("ip", "netns", "del", namespace, check=False)
        for name in sh("ls", "/sys/fs/bpf/opennlb", check=False).stdout.split():
            if name.startswith(f"run-opennlb-sw-{os.getpid()}-"):
                sh("rm", "-r", f"/sys/fs/bpf/opennlb/{name}", check=False)
        sh("rm", "-r", self.directory)


def main(scenario):
    """As live.main, with a bridge in place of the lab."""
    import argparse  # pylint: disable=import-outside-toplevel
    parser = argparse.ArgumentParser()
    parser.add_argument("--nlb", default="build/bin/nlb", help="the nlb program; nlb-vmswitch lies beside it")
    parser.add_argument("--name", default=Path(sys.argv[0]).stem)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: network namespaces need root")
        sys.exit(SKIPPED)
    bridge = Bridge(options.nlb)
    run = Run(options.name, bridge, False)
    try:
        with run.case("the scenario runs to its end"):
            scenario(run)
    finally:
        run.write()
        if run.failed:
            print("---- the end of the log")
            print("".join((bridge.directory / "log").read_text(errors="replace").splitlines(True)[-40:]))
        bridge.close()
    sys.exit(run.conclusion())
