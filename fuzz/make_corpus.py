#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of filter_fuzz (captures), guard_fuzz and arp_fuzz (frames) with scapy, named after what
they say. Run it after a change of what those fuzzers expect: python3 fuzz/make_corpus.py"""
import pathlib
from scapy.all import (ARP, BOOTP, DHCP, ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPv6ND_NA, ICMPv6ND_RA,
                       ICMPv6NDOptDstLLAddr, IPv6, IPv6ExtHdrFragment, Raw, fragment, raw, wrpcap)

CORPUS = pathlib.Path(__file__).parent / "corpus"
VIP, CLIENT, CLUSTER = "10.77.0.100", "10.77.0.9", "02:bf:0a:4d:00:64"
OFF, MEMBER = "52:54:00:00:00:01", "52:54:00:00:00:02"
SPOOFER, MASKED = "52:54:00:00:00:03", "02:02:0a:4d:00:64"
EVERYONE = "ff:ff:ff:ff:ff:ff"
E = Ether


def to_vip(layers):
    return E(src="52:54:00:00:00:fe", dst=CLUSTER) / IP(src=CLIENT, dst=VIP, id=7) / layers


def captures():
    syn = [to_vip(TCP(sport=40000 + i, dport=80, flags="S")) for i in range(8)]
    yield "tcp-handshake", [syn[0], to_vip(TCP(sport=40000, dport=80, flags="A", seq=1, ack=1)),
                            to_vip(TCP(sport=40000, dport=80, flags="FA", seq=1, ack=1))]
    yield "eight-new-connections", syn
    yield "udp-dns", [to_vip(UDP(sport=5353, dport=53) / Raw(b"question"))]
    yield "rule-disabled", [to_vip(TCP(sport=1, dport=9, flags="S"))]
    yield "echo-and-errors", [to_vip(ICMP(type=8)), to_vip(ICMP(type=3, code=4) / IP(src=VIP,
                              dst=CLIENT) / UDP()),
                              to_vip(ICMP(type=11) / IP(src=CLIENT, dst=CLIENT) / UDP())]
    yield "fragments", list(fragment(to_vip(UDP(sport=1, dport=53) / Raw(bytes(200))), fragsize=64))
    yield "fragment-without-its-first", [E(dst=CLUSTER) / IP(src=CLIENT, dst=VIP, frag=5) / Raw(bytes(16))]
    yield "arp-who-has-the-vip", [E(dst=EVERYONE) / ARP(psrc=CLIENT, pdst=VIP),
                                  E(dst=EVERYONE) / ARP(op=2, hwsrc="00:00:00:00:00:99", psrc=VIP,
                                      pdst=CLIENT),
                                  E(dst=EVERYONE) / ARP(op=2, hwsrc=CLUSTER, psrc=VIP, pdst=CLIENT)]
    yield "vlan-tags", [E(dst=CLUSTER) / Dot1Q(vlan=0) / IP(src=CLIENT, dst=VIP) / TCP(dport=80, flags="S"),
                        E(dst=CLUSTER) / Dot1Q(vlan=7) / IP(src=CLIENT, dst=VIP) / TCP(dport=80, flags="S")]
    yield "heartbeat-and-strangers", [E(dst="03:bf:0a:4d:00:64", type=0x88b5) / Raw(b"ONLB"),
                                      E(dst=CLUSTER) / IP(src=CLIENT, dst="10.77.0.5") / UDP(),
                                      E(dst=CLUSTER) / IPv6(dst="fd77::100") / TCP(dport=80)]
    options = IP(src=CLIENT, dst=VIP, options=[b"\x01\x01\x01\x00"]) / TCP(dport=443, flags="S")
    yield "ip-options-and-bad-headers", [E(dst=CLUSTER) / options,
                                         E(dst=CLUSTER) / IP(src=CLIENT, dst=VIP, ihl=4) / Raw(bytes(20)),
                                         to_vip(TCP(dport=80, flags="S", dataofs=3))]


def guard_frames():
    """Port and direction, two octets of a tag, frame. Ports: 0 off, 1 member, 2 on, 3 uplink; +4: sends."""
    nd = ICMPv6ND_NA(tgt="fd77::100") / ICMPv6NDOptDstLLAddr(lladdr=OFF)
    off = E(src=OFF, dst=EVERYONE)
    yield "off-own-arp", 4, off / ARP(hwsrc=OFF, psrc="10.77.0.11", pdst=CLIENT)
    yield "off-claims-the-vip", 4, off / ARP(hwsrc=OFF, psrc=VIP, pdst=CLIENT)
    yield "off-spoofs-the-source", 4, E(src=SPOOFER, dst=EVERYONE) / ARP(hwsrc=SPOOFER, psrc=CLIENT)
    yield "off-sends-ipv4", 4, E(src=OFF, dst=SPOOFER) / IP(src="10.77.0.11", dst=CLIENT) / UDP()
    yield "off-serves-dhcp", 4, off / IP(src="10.77.0.11") / UDP(sport=67, dport=68) / BOOTP() / DHCP()
    router = IPv6(src="fe80::1") / ICMPv6ND_RA()
    yield "off-advertises-a-router", 4, E(src=OFF, dst="33:33:00:00:00:01") / router
    yield "off-neighbour-advertisement", 4, E(src=OFF, dst="33:33:00:00:00:01") / IPv6() / nd
    first = IPv6ExtHdrFragment(nh=58, m=1) / Raw(bytes(24))
    yield "off-nd-in-fragments", 4, E(src=OFF) / IPv6(src="fd77::11") / first
    yield "member-answers-for-the-vip", 5, E(src=MASKED, dst=EVERYONE) / ARP(op=2, hwsrc=CLUSTER, psrc=VIP)
    yield "member-binds-the-vip-wrongly", 5, E(src=MEMBER, dst=EVERYONE) / ARP(op=2, hwsrc=MEMBER, psrc=VIP)
    yield "member-sends-from-the-cluster-mac", 5, E(src=CLUSTER, dst=EVERYONE) / ARP(hwsrc=CLUSTER, psrc=VIP)
    yield "member-heartbeat", 5, E(src=MEMBER, dst="03:bf:0a:4d:00:64", type=0x88b5) / Raw(b"ONLB")
    yield "member-receives-for-the-cluster", 1, to_vip(TCP(dport=80, flags="S"))
    yield "off-receives-for-the-cluster", 0, to_vip(TCP(dport=80, flags="S"))
    yield ("on-sends-from-any-mac", 6, E(src="52:54:00:00:00:77",
           dst=EVERYONE) / ARP(hwsrc="52:54:00:00:00:77"))
    yield "on-takes-a-neighbour", 6, E(src=OFF, dst=EVERYONE) / ARP(hwsrc=OFF, psrc="10.77.0.11")
    yield "uplink-sends", 7, E(src="52:54:00:00:00:fe", dst=OFF) / IP(src=CLIENT) / UDP()
    yield "off-tagged-twice", 4, E(src=OFF) / Dot1Q(vlan=1) / Dot1Q(vlan=2) / IP()
    vrrp = IP(src="10.77.0.11", dst="224.0.0.18", proto=112) / Raw(b"\x21\x33" + bytes(6))
    yield "off-vrrp", 4, E(src=OFF, dst="01:00:5e:00:00:12") / vrrp


def arp_payloads():
    yield "answer-of-the-gateway", OFF, ARP(op=2, hwsrc="52:54:00:00:00:fe", psrc="10.77.0.1", hwdst=OFF)
    yield "stranger-claims-the-vip", EVERYONE, ARP(op=1, hwsrc="00:00:00:00:00:99", psrc=VIP, pdst=VIP)
    yield "peer-probes", EVERYONE, ARP(op=1, hwsrc=CLUSTER, psrc="0.0.0.0", pdst=VIP)
    yield "stranger-probes", EVERYONE, ARP(op=1, hwsrc="00:00:00:00:00:99", psrc="0.0.0.0", pdst=VIP)
    yield "reverse", EVERYONE, ARP(op=3, hwsrc=OFF)


def main():
    for folder in ("filter", "guard", "arp"):
        (CORPUS / folder).mkdir(parents=True, exist_ok=True)
    for name, frames in captures():
        wrpcap(str(CORPUS / "filter" / f"{name}.pcap"), [Ether(raw(frame)) for frame in frames])
        capture = CORPUS / "filter" / f"{name}.pcap"
        data = bytearray(capture.read_bytes())
        at = 24
        while at + 16 <= len(data):  # the time of the day is no part of a seed
            data[at:at + 8] = bytes(8)
            at += 16 + int.from_bytes(data[at + 8:at + 12], "little")
        capture.write_bytes(data)
    for name, port, frame in guard_frames():
        (CORPUS / "guard" / name).write_bytes(bytes([port, 0, 0]) + raw(frame))
    for name, to, payload in arp_payloads():
        (CORPUS / "arp" / name).write_bytes(bytes.fromhex(to.replace(":", "")) + raw(payload) + bytes(18))


if __name__ == "__main__":
    main()
