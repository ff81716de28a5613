#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A guest leaves its checksums to the hypervisor and says itself where they are to be put (virtio_net_hdr of
a tap). What it gets through is what a neighbour reads."""
import os
import struct

from bridge import BROADCAST, CONFIG, in_namespace, mac_of, main, need, octets, packet_socket, wait_for, \
    waiting

OWN, WANTED, PORT_BEFORE = "10.77.0.12", "10.77.0.100", 2000
ARP, IPV4 = 0x0806, 0x0800
TCPV4, UDP = 1, 3  # VIRTIO_NET_HDR_GSO_*


def ip(text):
    return bytes(map(int, text.split(".")))


def total(data):
    """Of RFC 1071, not yet turned."""
    data += b"\0" * (len(data) % 2)
    result = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while result >> 16:
        result = (result & 0xFFFF) + (result >> 16)
    return result


def padded_for(frame, begin, wanted):
    """The last two octets such that the checksum from `begin` on becomes these two."""
    zeroed = frame[:-2] + b"\0\0"
    target = ~int.from_bytes(wanted, "big") & 0xFFFF
    made = zeroed[:-2] + struct.pack("!H", (target - total(zeroed[begin:])) % 0xFFFF)
    need(~total(made[begin:]) & 0xFFFF == int.from_bytes(wanted, "big"), "the padding does what it should")
    return made


def ethernet(ether_type, payload, destination=BROADCAST):
    return octets(destination) + octets(mac_of(2)) + struct.pack("!H", ether_type) + payload


def arp():
    return ethernet(ARP, struct.pack("!HHBBH", 1, IPV4, 6, 4, 1) + octets(mac_of(2)) + ip(OWN) + bytes(6) +
                    ip("10.77.0.255") + bytes(18))


def packet(protocol, payload, source=OWN, place=0):
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, place, 64, protocol, 0) + ip(source) + \
        ip("10.77.0.11")
    header = header[:10] + struct.pack("!H", ~total(header) & 0xFFFF) + header[12:]
    return ethernet(IPV4, header + payload, mac_of(1))


def tcp(data):
    return struct.pack("!HHIIBBHHH", 4000, 80, 1, 1, 0x50, 0x18, 1000, 0, 0) + data


def udp(source_port, data):
    return struct.pack("!HHHH", source_port, 2001, 8 + len(data), 0) + data


class Guest:
    """The tap of guest 2, written as QEMU writes it, and what guest 1 gets."""

    def __init__(self, bridge):
        self.file = bridge.open_tap(2, 0x4000)  # IFF_VNET_HDR
        bridge.join("tap2")
        self.socket = in_namespace(bridge.outside, lambda: packet_socket("guest1"))

    def write(self, frame, checksum=None, gso=(0, 0, 0)):
        """checksum: (from where, to which octet); gso: (type, length of the headers, of a segment)"""
        flags, begin, field = (0, 0, 0) if checksum is None else (1, *checksum)
        os.write(self.file, struct.pack("=BBHHHH", flags, *gso, begin, field - begin) + frame)

    def taken(self):
        return [data for data, sent in waiting(self.socket) if not sent and data[6:12] == octets(mac_of(2))]

    def passes(self, frame, checksum=None, gso=(0, 0, 0)):
        """What arrives of it before a plain frame that is sent behind it."""
        self.taken()
        self.write(frame, checksum, gso)
        end = ethernet(0x88B7, bytes(46))
        self.write(end)
        frames = []

        def ended():
            frames.extend(self.taken())
            return end in frames
        wait_for("the frame behind it arrives", ended, 3)
        return [one for one in frames if one != end]


def refused(bridge):
    return sum(one["count"] for one in bridge.violations() if one["reason"] == "checksum_offload")


def lies(run, guest):
    """Each would say something else to its reader than to the guard. Linux itself takes no sum that begins
    before octet 20 from a tap."""
    forged_arp = padded_for(arp(), 20, ip(WANTED)[2:])
    forged_packet = padded_for(packet(99, bytes(40)), 20, ip(WANTED)[2:])
    forged_port = padded_for(packet(17, udp(PORT_BEFORE, bytes(40))), 34, struct.pack("!H", 67))
    for title, frame, checksum in (
            ("the address in ARP", forged_arp, (20, 30)),
            ("the source address of IPv4", forged_packet, (20, 28)),
            ("the source port of UDP", forged_port, (34, 34))):
        with run.case(f"a checksum over {title} is refused"):
            before = refused(run.lab)
            got = guest.passes(frame, checksum)
            need(not got, f"passed: {got[0].hex() if got else ''}")
            wait_for("it is reported", lambda before=before: refused(run.lab) > before, 3)
    with run.case("a large packet that is a later fragment is refused: cutting would make a first one of it"):
        before = refused(run.lab)
        got = guest.passes(packet(17, udp(67, bytes(3000)), place=3), (34, 40), (UDP, 42, 1000))
        need(not got, f"passed: {[one.hex()[:100] for one in got]}")
        wait_for("it is reported", lambda: refused(run.lab) > before, 3)


def truths(run, guest):
    data = bytes(range(256))
    with run.case("the checksums of TCP and UDP are put in, and what was judged stays"):
        for frame, field in ((packet(6, tcp(data)), 50), (packet(17, udp(PORT_BEFORE, data)), 40)):
            got = guest.passes(frame, (34, field))
            need(len(got) == 1 and got[0][:34] == frame[:34] and got[0][42:50] == frame[42:50], f"{got}")
    with run.case("a large TCP packet passes, and its pieces say of themselves what it said") as notes:
        large = packet(6, tcp(data * 16))
        run.lab.inside("ethtool", "-K", "guest1", "gro", "off", namespace=run.lab.outside, check=False)
        got = guest.passes(large, (34, 50), (TCPV4, 54, 1000))
        need(got and sum(len(one) - 54 for one in got) == 4096, f"{[len(one) for one in got]}")
        for one in got:
            need(one[:14] == large[:14] and one[26:38] == large[26:38] and one[23] == 6, one.hex()[:120])
        notes.append(f"{len(got)} frames")
    with run.case("with another length of headers, too"):
        got = guest.passes(large, (34, 50), (TCPV4, 14, 1000))
        need(all(one[26:38] == large[26:38] for one in got), f"{[one.hex()[:120] for one in got]}")
    with run.case("none of these was refused"):
        need(refused(run.lab) == 0, f"{run.lab.violations()}")


def scenario(run):
    bridge = run.lab
    bridge.config.write_text(CONFIG.replace('mac = "52:54:00:00:00:02"\n',
                                            f'mac = "52:54:00:00:00:02"\naddresses = ["{OWN}"]\n'
                                            'dhcp_guard = true\n'))
    guest = Guest(bridge)
    bridge.start()
    wait_for("its frames pass", lambda: guest.passes(arp()), 5)
    for part in (truths, lies):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run, guest)
    os.close(guest.file)


if __name__ == "__main__":
    main(scenario)
