#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A naive second opinion on every verdict, written from the description of the filter, not from its code.

Reads lines: "world <bound> <replace> <lease> <spent> <asks> <igmp> <state seed>" or "<verdict> <frame in
hex>"; and, of extended affinity, "keep <odd>" (the buckets of this parity are kept), "generation" (clients
grow older) and "visits <slot>:<bucket> …" (seen since the last time). Exits 1 at the first answer that it
does not share. The cluster is that of example_config() in harness.cc."""
import sys
from struct import unpack

VIPS = {bytes([10, 0, 0, 10]), bytes([10, 0, 0, 11])}
OTHER6 = bytes.fromhex("20010db8" + 22 * "0" + "11")
VIPS6 = {bytes.fromhex("20010db8" + 22 * "0" + "10"), OTHER6}
CLUSTERS = [bytes.fromhex("02bf0a00000a"), bytes.fromhex("01005e7f000a")]  # mode igmp: the second
GROUP = bytes([239, 255, 0, 10])
OWN = {bytes.fromhex("02010a00000a"), bytes.fromhex("525400000001")}
NONE, SINGLE, NETWORK = range(3)
#        vip or None, first, last, protocols, affinity, enabled
RULES = [
    (None, 80, 80, {6}, NONE, True),
    (None, 443, 443, {6, 17}, SINGLE, True),
    (None, 1000, 1999, {17}, NETWORK, True),
    (None, 23, 23, {6}, SINGLE, False),
    (bytes([10, 0, 0, 11]), 8080, 8081, {6}, SINGLE, True),
    (None, 8000, 8100, {6}, NETWORK, True),
    (OTHER6, 8090, 8090, {6, 17}, NONE, True),
    (None, 1723, 1723, {6}, SINGLE, True),
    (None, 500, 500, {17}, NETWORK, True),
]
DEFAULT, ECHO = 64, 65
EXTENDED = (1, 2)  # rules with a timeout
MASK = (1 << 64) - 1


def siphash(key, message, c, d):
    """Straight from the paper, any length."""
    def rotate(x, b):
        return (x << b | x >> (64 - b)) & MASK

    k0, k1 = unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def sipround():
        v[0] = (v[0] + v[1]) & MASK; v[2] = (v[2] + v[3]) & MASK
        v[1] = rotate(v[1], 13) ^ v[0]; v[3] = rotate(v[3], 16) ^ v[2]
        v[0] = rotate(v[0], 32)
        v[2] = (v[2] + v[1]) & MASK; v[0] = (v[0] + v[3]) & MASK
        v[1] = rotate(v[1], 17) ^ v[2]; v[3] = rotate(v[3], 21) ^ v[0]
        v[2] = rotate(v[2], 32)

    tail = len(message) % 8
    padded = message + bytes(7 - tail) + bytes([len(message) & 255])
    for i in range(0, len(padded), 8):
        (m,) = unpack("<Q", padded[i:i + 8])
        v[3] ^= m
        for _ in range(c):
            sipround()
        v[0] ^= m
    v[2] ^= 0xFF
    for _ in range(d):
        sipround()
    return v[0] ^ v[1] ^ v[2] ^ v[3]


SEED = bytes(range(16))
TAG_KEY_ID, TAG_KEY = bytes(range(0xa0, 0xa8)), bytes(range(0xa8, 0xb8))
CACHE = {}


def bucket(affinity, client, port):
    if affinity == NETWORK:
        client = client[:3] + b"\0" if len(client) == 4 else client[:8] + bytes(8)
    if affinity != NONE:
        port = b"\0\0"
    message = client + port + bytes(2 if len(client) == 4 else 6)
    if message not in CACHE:
        CACHE[message] = siphash(SEED, message, 1, 3) & 4095
    return CACHE[message]


class World:
    def __init__(self, bound, replace, lease, spent, asks, igmp, seed):
        self.bound, self.replace, self.lease = bound, replace, lease
        self.spent, self.seed = spent, seed
        self.igmp, self.cluster = igmp, CLUSTERS[igmp]
        self.checked = "asked" if asks else "stray"
        self.newest = {(3, 0x1122334455667788): 100}
        self.fragments = set()
        self.kept_parity, self.seen, self.young, self.old = None, set(), set(), set()

    def state(self, slot, b):
        return (self.seed + slot * 7 + b * 2654435761 % 1000003) % 4

    def visit(self, slot, affinity, client):
        """Somebody was accepted. Where a bucket is kept, who has not come before counts for nothing."""
        if slot not in EXTENDED:
            return
        if affinity == NETWORK:
            client = client[:3] if len(client) == 4 else client[:8]
        b = bucket(affinity, client + bytes({3: 1, 8: 8}.get(len(client), 0)), b"")
        kept = self.kept_parity is not None and (b - self.kept_parity - slot) % 2 == 0
        if kept and (slot, client) not in self.young | self.old:
            return
        self.young.add((slot, client))
        self.seen.add((slot, b))

    def new_flow(self, slot, affinity, client, port):
        if self.state(slot, bucket(affinity, client, port)) in (0, 2):
            return "foreign"
        if self.lease:
            self.visit(slot, affinity, client)
        return "owned" if self.lease else "no_lease"

    def other_segment(self, slot, affinity, client, port):
        # No socket exists in the test's namespace, so whatever is checked has none.
        state = self.state(slot, bucket(affinity, client, port))
        if state == 1:
            self.visit(slot, affinity, client)
        return ("foreign", "owned", self.checked, self.checked)[state]


def find_rule(vip, port, protocol):
    fits = [i for i, r in enumerate(RULES) if protocol in r[3] and r[1] <= port <= r[2]]
    named = [i for i in fits if RULES[i][0] == vip]
    general = [i for i in fits if RULES[i][0] is None]
    return (named + general + [None])[0]


def by_port(world, client, vip, protocol, source, target, begins):
    rule = find_rule(vip, int.from_bytes(target, "big"), protocol)
    slot, affinity = DEFAULT, SINGLE
    if rule is not None:
        slot, affinity = rule, RULES[rule][4]
        if not RULES[rule][5]:
            return "rule_disabled"
    judge = world.new_flow if begins else world.other_segment
    return judge(slot, affinity, client, source)


def without_port(world, client, vip, rule):
    """By the rule of another protocol's port, or the default rule; the client's port does not count."""
    if rule is None:
        return world.new_flow(DEFAULT, SINGLE, client, b"\0\0")
    return world.new_flow(rule, RULES[rule][4], client, b"\0\0") if RULES[rule][5] else "rule_disabled"


def transport(world, protocol, client, vip, data, more):
    if protocol == 47:
        return without_port(world, client, vip, find_rule(vip, 1723, 6))
    if protocol in (50, 51):
        return without_port(world, client, vip, find_rule(vip, 500, 17))
    if protocol == 132:
        if len(data) < 12:
            return "bad_header"
        port = int.from_bytes(data[2:4], "big")
        rules = {find_rule(vip, port, 6), find_rule(vip, port, 17)}
        return without_port(world, client, vip, rules.pop() if len(rules) == 1 else None)
    if protocol == 6:
        if len(data) < 20 or (data[12] >> 4) < 5 or (data[12] >> 4) * 4 > len(data):
            return "bad_header"
        return by_port(world, client, vip, 6, data[0:2], data[2:4], data[13] & 0x16 == 2)
    if protocol == 17:
        if len(data) < 8:
            return "bad_header"
        length = int.from_bytes(data[4:6], "big")
        if length < 8 or (length > len(data) and not more):
            return "bad_header"
        return by_port(world, client, vip, 17, data[0:2], data[2:4], True)
    if protocol == 1:
        if len(data) < 8:
            return "bad_header"
        if data[0] in (3, 4, 5, 11, 12):
            if len(data) < 28:
                return "bad_header"
            if data[20:24] not in VIPS:
                return "icmp_unrelated"
            return "icmp_error" if world.lease else "no_lease"
        return world.new_flow(ECHO if data[0] == 8 else DEFAULT, SINGLE, client, b"\0\0")
    return world.new_flow(DEFAULT, SINGLE, client, b"\0\0")


def ipv4(world, p):
    if len(p) < 20:
        return None
    client, vip, protocol = p[12:16], p[16:20], p[9]
    if vip not in VIPS:
        return "passed" if protocol == 2 and 224 <= vip[0] <= 239 else None
    if not world.bound:
        return "not_bound"
    header, total = (p[0] & 15) * 4, int.from_bytes(p[2:4], "big")
    offset, more = int.from_bytes(p[6:8], "big") & 0x1FFF, p[6] & 0x20 != 0
    if p[0] >> 4 != 4 or header < 20 or not header <= total <= len(p) or (offset == 1 and protocol == 6):
        return "bad_header"
    key = (client, vip, p[4:6], protocol)
    if offset:
        return "fragment" if key in world.fragments else "fragment_unknown"
    verdict = transport(world, protocol, client, vip, p[header:total], more)
    if more and verdict in ("owned", "icmp_error", "asked"):
        world.fragments.add(key)
    return verdict


def headers(p):
    """What stands behind the extension headers: protocol, offset, fragment headers; None: not to be found."""
    protocol, at, fragments = p[6], 40, []
    for _ in range(9):
        if protocol not in (0, 43, 44, 51, 60, 135, 139, 140) or (fragments and fragments[-1][0]):
            return protocol, at, fragments
        h = p[at:]
        if len(h) < (8 if protocol == 44 else 4):
            return None
        if protocol == 44:
            size = 8
            fragments.append((int.from_bytes(h[2:4], "big") >> 3, h[3] & 1, h[4:8]))
        else:
            size = (h[1] + 2) * 4 if protocol == 51 else (h[1] + 1) * 8
        protocol, at = h[0], at + size
    return None


def claimed_mac(message, options, wanted):
    """The one MAC that the options of this type name; None: none, several, or nonsense."""
    macs = set()
    rest = message[options:]
    for _ in range(16):
        if not rest:
            return macs.pop() if len(macs) == 1 else None
        if len(rest) < 8 or rest[1] == 0 or len(rest) < rest[1] * 8:
            return None
        if rest[0] == wanted:
            if rest[1] != 1:
                return None
            macs.add(rest[2:8])
        rest = rest[rest[1] * 8:]
    return macs.pop() if not rest and len(macs) == 1 else None


def discovery(world, p, m, to_cluster):
    """Neighbour discovery that says or asks something about a virtual address; None: it does not."""
    head = {133: 8, 134: 16, 135: 24, 136: 24, 137: 40}
    if len(m) < 2 or m[0] not in head or m[1] != 0 or p[7] != 255 or len(m) < head[m[0]]:
        return None
    kind, source, destination = m[0], p[8:24], p[24:40]
    about = m[8:24] if kind in (136, 137) else source
    if about in VIPS6:
        mac = claimed_mac(m, head[kind], 2 if kind in (136, 137) else 1)
        return "nd_peer" if mac == world.cluster else "vip_conflict"
    if kind == 135:
        if m[8:24] not in VIPS6:
            return None
        return "not_bound" if not world.bound else "nd_answered" if world.lease else "no_lease"
    if kind == 136 and to_cluster:
        return "nd_to_vip"
    return "nd_to_vip" if kind != 133 and destination in VIPS6 else None


def icmpv6(world, client, m):
    if len(m) < 8 or 133 <= m[0] <= 137:
        return "bad_header"
    if m[0] >= 128:
        return world.new_flow(ECHO if m[0] == 128 else DEFAULT, SINGLE, client, b"\0\0")
    if len(m) < 48:
        return "bad_header"
    if m[16:32] not in VIPS6:
        return "icmp_unrelated"
    return "icmp_error" if world.lease else "no_lease"


def ipv6(world, p, to_cluster):
    if len(p) < 40:
        return None
    client, vip = p[8:24], p[24:40]
    end = 40 + int.from_bytes(p[4:6], "big")
    sound = p[0] >> 4 == 6 and end <= len(p)
    found = headers(p)
    if found and sound and found[0] == 58 and not found[2]:
        verdict = discovery(world, p, p[found[1]:end], to_cluster)
        if verdict:
            return verdict
    if vip not in VIPS6:
        return None
    if not world.bound:
        return "not_bound"
    if not found or len(found[2]) > 1:
        return "header_chain"
    protocol, at, fragments = found
    if not sound or at > end or client[:12] == bytes(10) + b"\xff\xff":
        return "bad_header"
    offset, more, number = fragments[0] if fragments else (0, 0, b"")
    key = (client, vip, number)
    if offset:
        return "fragment" if key in world.fragments else "fragment_unknown"
    m = p[at:end]
    if protocol == 58:
        verdict = icmpv6(world, client, m)
    else:
        verdict = transport(world, None if protocol == 1 else protocol, client, vip, m, more)
    if more and verdict in ("owned", "icmp_error", "asked"):
        world.fragments.add(key)
    return verdict


def arp(world, a, to_cluster):
    if len(a) < 28 or a[0:6] != bytes([0, 1, 8, 0, 6, 4]):
        return None
    operation, sender_mac, sender, target = int.from_bytes(a[6:8], "big"), a[8:14], a[14:18], a[24:28]
    if sender in VIPS:
        return "arp_peer" if sender_mac == world.cluster else "vip_conflict"
    if operation == 1 and target in VIPS:
        return "not_bound" if not world.bound else "arp_answered" if world.lease else "no_lease"
    if operation == 2 and (target in VIPS or to_cluster):
        return "arp_to_vip"
    return None


def heartbeat(world, p):
    """Without a budget, only the next number of who is believed. A budget that is whole is never used up in
    a world: the test says how many frames."""
    others = "heartbeat_excess" if world.spent else "heartbeat"
    total = int.from_bytes(p[8:10], "big")
    if p[12:20] != TAG_KEY_ID or not 60 <= total <= min(1500, len(p) - 8):
        return others
    if siphash(TAG_KEY, p[:44] + p[total - 16:total] + bytes(4), 2, 4) != unpack("<Q", p[total:total + 8])[0]:
        return others
    sender = (p[7], int.from_bytes(p[28:36], "big"))
    if sender not in world.newest:
        return "heartbeat_excess" if p[7] > 64 else others
    sequence = int.from_bytes(p[36:44], "big")
    if sequence <= world.newest[sender]:
        return "heartbeat_replayed" if world.spent else "heartbeat"
    world.newest[sender] = sequence
    return "heartbeat"


def judge(world, f):
    to_cluster = f[0:6] == world.cluster
    kind, rest, tags, verdict = f[12:14], f[14:], 0, None
    while kind in (b"\x81\x00", b"\x88\xa8") and tags < 2:
        if len(rest) < 4:
            kind = None
            break
        if int.from_bytes(rest[0:2], "big") & 4095:
            return "vlan"
        kind, rest, tags = rest[2:4], rest[4:], tags + 1
    if kind == b"\x88\xb5":
        return heartbeat(world, rest)
    if kind == b"\x08\x00" and rest[0:1] == b"\x45" and rest[9:10] == b"\xfd":
        to_all = world.igmp and rest[16:20] == GROUP and rest[8] == 1
        to_vip = rest[16:20] in VIPS and rest[8] == 255
        if int.from_bytes(rest[6:8], "big") & 0x3fff == 0 and (to_all or to_vip):
            return heartbeat(world, rest[20:])
    if kind == b"\x86\xdd" and len(rest) >= 40 and rest[0] >> 4 == 6 and rest[6:8] == b"\xfd\xff":
        if rest[24:40] in VIPS6:
            return heartbeat(world, rest[40:])
    if kind == b"\x08\x00":
        verdict = ipv4(world, rest)
    elif kind == b"\x86\xdd":
        verdict = ipv6(world, rest, to_cluster)
    elif kind == b"\x08\x06":
        verdict = arp(world, rest, to_cluster)
    if verdict:
        return verdict
    if to_cluster:
        return "not_vip"
    return "host" if world.replace and f[0:6] in OWN else "passed"


def visits_differ(world, words):
    """Takes in what is said of extended affinity; returns what is wrong, or nothing."""
    if words[0] == "keep":
        world.kept_parity = int(words[1])
    elif words[0] == "generation":
        world.young, world.old = set(), world.young
    else:
        said = {tuple(int(number) for number in word.split(":")) for word in words[1:]}
        seen, world.seen = world.seen, set()
        if said != seen:
            return f"visits: the filter says {sorted(said - seen)[:5]} more, {sorted(seen - said)[:5]} less"
    return ""


def main():
    world, seen, count, visited = None, {}, 0, 0
    for line in sys.stdin:
        words = line.split()
        if words[0] == "world":
            world = World(*(int(w) for w in words[1:]))
            continue
        if words[0] in ("keep", "generation", "visits"):
            visited += max(0, len(words) - 1)
            wrong = visits_differ(world, words)
            if wrong:
                print(f"after packet {count}: {wrong}", flush=True)
                for _ in sys.stdin:
                    pass
                return 1
            continue
        frame = bytes.fromhex(words[1])
        verdict = judge(world, frame)
        seen[verdict] = seen.get(verdict, 0) + 1
        count += 1
        if verdict != words[0]:
            print(f"packet {count}: the filter says {words[0]}, the oracle {verdict}: {words[1]}", flush=True)
            for _ in sys.stdin:
                pass
            return 1
    verdicts = ", ".join(f"{k} {v}" for k, v in sorted(seen.items()))
    print(f"oracle: {count} packets, {visited} visited buckets, {verdicts}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
