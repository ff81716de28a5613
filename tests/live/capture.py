# SPDX-License-Identifier: Apache-2.0
"""Frames that crossed the lab's switch, as values.

tcpdump listens on the bridge itself: promiscuous, it sees every frame that enters any port, once.
"""
import ipaddress
import shutil
import struct
import subprocess
import tempfile
import time
from collections import namedtuple
from pathlib import Path

from live import Failure, need, wait_for

SWITCH = "nlb-switch"
Arp = namedtuple("Arp", "source destination operation sender_mac sender_ip target_mac target_ip")
# ports and flags are 0 where there are none (fragments, other protocols)
# `mac`: of the option that binds, "" without one; `address`: what it binds, or what is asked
Discovery = namedtuple("Discovery", "source destination type from_ip target mac")
Ip = namedtuple("Ip", "source destination from_ip to_ip protocol from_port to_port flags time "
                      "sequence acknowledged")
SYN, RST, ACK = 0x02, 0x04, 0x10


def mac(octets):
    return ":".join(f"{octet:02x}" for octet in octets)


def ip(octets):
    return ".".join(map(str, octets))


def ip6(octets):
    return str(ipaddress.IPv6Address(octets))


class Capture:
    """with Capture(lab, "arp or tcp") as capture: …; afterwards capture.frames()."""

    def __init__(self, lab, expression, in_lab=True, node="switch", octets=128):
        """`node` other than the switch: what comes in at its adapter."""
        self.lab, self.expression, self.path = lab, expression, None
        # A lab that is still coming up runs no commands yet.
        by_name = ["ip", "netns", "exec", SWITCH]
        self.enter = [lab.nlb_path, "lab", "exec", node, "--"] if in_lab else by_name
        self.octets = octets  # of each frame
        self.interface = ["nlbsw0"] if node == "switch" else ["eth0", "-Q", "in"]
        self.process, self.raw = None, b""

    def __enter__(self):
        self.path = Path(tempfile.mkdtemp(prefix="nlb-capture-")) / "frames.pcap"
        words = ["tcpdump", "-i", *self.interface, "-n", "-U", "--immediate-mode", "-B", "65536",
                 "-s", str(self.octets), "-Z", "root", "-w", str(self.path), *self.expression.split()]
        self.process = subprocess.Popen([*self.enter, *words], stderr=subprocess.PIPE, text=True,
                                        stdin=subprocess.DEVNULL)
        wait_for("tcpdump listens", lambda: self.path.exists() and self.path.stat().st_size >= 24, 10)
        return self

    def __exit__(self, *_):
        time.sleep(0.5)  # the last frames are still on their way
        self.process.terminate()
        _, text = self.process.communicate(timeout=20)
        self.raw = self.path.read_bytes()
        shutil.rmtree(self.path.parent)
        if "0 packets dropped by kernel" not in text:
            raise Failure(f"the capture is not complete: {text}")

    def packets(self):
        """(time, octets) of each frame."""
        order = "<" if self.raw[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
        at = 24
        while at + 16 <= len(self.raw):
            seconds, fraction, size, _ = struct.unpack(order + "IIII", self.raw[at:at + 16])
            yield seconds + fraction / 1e6, self.raw[at + 16:at + 16 + size]
            at += 16 + size

    def sources(self):
        """How many frames each Ethernet source sent."""
        counts = {}
        for _, frame in self.packets():
            counts[mac(frame[6:12])] = counts.get(mac(frame[6:12]), 0) + 1
        return counts

    def arps(self):
        for _, frame in self.packets():
            if frame[12:14] == b"\x08\x06" and len(frame) >= 42:
                yield Arp(mac(frame[6:12]), mac(frame[:6]), struct.unpack("!H", frame[20:22])[0],
                          mac(frame[22:28]), ip(frame[28:32]), mac(frame[32:38]), ip(frame[38:42]))

    def discoveries(self):
        """Neighbour solicitations and advertisements, straight behind the IPv6 header."""
        for _, frame in self.packets():
            if frame[12:14] != b"\x86\xdd" or len(frame) < 78 or frame[20] != 58:
                continue
            if frame[54] not in (135, 136):
                continue
            wanted, options, bound = (1 if frame[54] == 135 else 2), frame[78:], ""
            while len(options) >= 8 and options[1]:
                if options[0] == wanted:
                    bound = mac(options[2:8])
                options = options[8 * options[1]:]
            yield Discovery(mac(frame[6:12]), mac(frame[:6]), frame[54], ip6(frame[22:38]), ip6(frame[62:78]),
                            bound)

    def ips(self):
        for when, frame in self.packets():
            if frame[12:14] != b"\x08\x00" or len(frame) < 34:
                continue
            header = 14 + 4 * (frame[14] & 15)
            protocol, first = frame[23], (struct.unpack("!H", frame[20:22])[0] & 0x1fff) == 0
            from_port = to_port = flags = sequence = acknowledged = 0
            if protocol in (6, 17) and first and len(frame) >= header + 8:
                from_port, to_port = struct.unpack("!HH", frame[header:header + 4])
                if protocol == 6 and len(frame) > header + 13:
                    sequence, acknowledged = struct.unpack("!II", frame[header + 4:header + 12])
                    flags = frame[header + 13]
            yield Ip(mac(frame[6:12]), mac(frame[:6]), ip(frame[26:30]), ip(frame[30:34]), protocol,
                     from_port, to_port, flags, when, sequence, acknowledged)

    def handshakes(self, vip, port):
        """{(client, port, initial sequence number): [SYNs, [Ethernet sources of SYN-ACKs]]}. The number tells
        a repeated SYN from a later connection that happens to use the same port."""
        flows = {}
        for packet in self.ips():
            if packet.protocol != 6:
                continue
            kind = packet.flags & (SYN | ACK)
            if kind == SYN and (packet.to_ip, packet.to_port) == (vip, port):
                flows.setdefault((packet.from_ip, packet.from_port, packet.sequence), [0, []])[0] += 1
            elif kind == SYN | ACK and (packet.from_ip, packet.from_port) == (vip, port):
                flow = (packet.to_ip, packet.to_port, (packet.acknowledged - 1) % 2**32)
                flows.setdefault(flow, [0, []])[1].append(packet.source)
        return flows


def need_one_owner(capture, vip, port):
    """No connection was answered by two hosts."""
    flows = capture.handshakes(vip, port)
    need(flows, "the capture holds no SYN at all")
    twice = {flow: answers for flow, (_, answers) in flows.items() if len(set(answers)) > 1}
    need(not twice,
         f"{len(twice)} of {len(flows)} flows were answered by two hosts: {list(twice.items())[:3]}")
    return flows


def need_one_answer_each(capture, vip, port):
    """Each SYN was answered once, and each flow by one host alone."""
    flows = need_one_owner(capture, vip, port)
    differs = {flow: (syns, len(answers)) for flow, (syns, answers) in flows.items() if syns != len(answers)}
    need(not differs, f"of {len(flows)} flows {len(differs)} have not one SYN-ACK for each SYN, for instance "
                      f"(SYNs, SYN-ACKs): {list(differs.items())[:3]}")
    return f"{len(flows)} SYNs, one SYN-ACK each"


def need_mac_truth(capture, vip, cluster_mac, unicast_cluster_mac="02:bf:0a:4d:00:64"):
    """mac-truth: nothing binds the VIP to another MAC; the cluster MAC is never an Ethernet source."""
    sources = capture.sources()
    need(sources, "the capture is empty")
    for forbidden in {cluster_mac, unicast_cluster_mac}:
        need(forbidden not in sources, f"{sources.get(forbidden)} frames were sent from {forbidden}")
    groups = [source for source in sources if int(source[:2], 16) & 1]
    need(not groups, f"frames were sent from group addresses: {groups}")
    bound = 0
    for arp in capture.arps():
        if arp.sender_ip == vip:
            bound += 1
            need(arp.sender_mac == cluster_mac, f"a frame binds the VIP to {arp.sender_mac}: {arp}")
        if arp.operation == 2 and arp.target_ip == vip:
            need(arp.target_mac == cluster_mac, f"a reply binds the VIP to {arp.target_mac}: {arp}")
    return f"{sum(sources.values())} frames, {bound} of them ARP for the VIP"


def need_nd_truth(capture, vip, cluster_mac, senders):
    """mac-truth of IPv6: the VIP is bound to the cluster MAC alone, by frames of `senders` alone; the cluster
    MAC to nothing else, and it is never an Ethernet source."""
    sources, answers = capture.sources(), 0
    need(sources and cluster_mac not in sources, f"frames were sent from the cluster MAC, or none: {sources}")
    for said in capture.discoveries():
        about = said.target if said.type == 136 else said.from_ip
        if about == vip:
            need(said.mac == cluster_mac, f"a frame binds the VIP to {said.mac or 'nothing'}: {said}")
            need(said.source in senders, f"a frame about the VIP comes from {said.source}: {said}")
            answers += 1
        elif said.mac == cluster_mac:
            need(False, f"a frame binds {about} to the cluster MAC: {said}")
    need(answers > 0, "nobody answered for the VIP")
    return f"{sum(sources.values())} frames, {answers} of them for the VIP"
