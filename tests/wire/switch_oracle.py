# SPDX-License-Identifier: Apache-2.0
"""A second, independent reading of docs/protocol/steering-announcement.md and fence-notice.md, in another
language and with no shared code.

`switch_oracle.py` prints docs/protocol/switch-vectors.txt. Frames are dictionaries; ranges of buckets are
lists of (first, last)."""
import ipaddress
import struct

HOSTS, SLOTS, RULES, VIPS, BUCKETS = 64, 66, 64, 64, 4096
LARGEST_PART, MOST_PARTS = 1260, 64
HEADER = struct.Struct("!4sBBHIBBBB")
PORTS = struct.Struct("!BBBBHH")
FENCE = struct.Struct("!4sBBHB3xQQ")
TIMES = struct.Struct("!II")
SEED, ADDRESS, SLOT, PORT_RANGE, ROW = range(1, 6)
PROTOCOLS = {"none": 0, "tcp": 1, "udp": 2, "both": 3}
IN_TRANSITION, CONTENT = 1, 2


class Refused(Exception):
    pass


def require(condition, name):
    if not condition:
        raise Refused(name)


def address16(text):
    address = ipaddress.ip_address(text)
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def bitmap(ranges):
    number = 0
    for first, last in ranges:
        number |= (1 << (last + 1)) - (1 << first)
    return number.to_bytes(BUCKETS // 8, "little")


def field(kind, value):
    return struct.pack("!HH", kind, len(value)) + value


def mark(generation, in_transition):
    return HEADER.pack(b"ONLO", 1, 0, HEADER.size, generation, int(in_transition), 0, 0, 0)


def fields_of(frame):
    """In the order in which nlbd says them; the document leaves it free."""
    yield field(SEED, frame["seed"])
    for text in frame["addresses"]:
        yield field(ADDRESS, address16(text))
    for slot in range(SLOTS):
        yield field(SLOT, bytes([slot, frame["affinities"].get(slot, 0)]))
    for slot, number, protocols, first, last in frame["ports"]:
        yield field(PORT_RANGE, PORTS.pack(slot, number, PROTOCOLS[protocols], 0, first, last))
    for slot, ranges in sorted(frame["rows"].items()):
        yield field(ROW, bytes([slot, 0]) + bitmap(ranges))


def wrapped(bodies, generation):
    return [HEADER.pack(b"ONLO", 1, 0, HEADER.size + len(body), generation, CONTENT, part, len(bodies), 0)
            + body for part, body in enumerate(bodies)]


def steering_parts(frame):
    bodies = [b""]
    for one in fields_of(frame):
        if len(bodies[-1]) + len(one) > LARGEST_PART - HEADER.size:
            bodies.append(b"")
        bodies[-1] += one
    return wrapped(bodies, frame["generation"])


def presence(frame):
    return (FENCE.pack(b"ONLM", 1, 0, FENCE.size + TIMES.size, frame["host"], frame["incarnation"],
                       frame["nonce"]) + TIMES.pack(frame["period_ms"], frame["silence_ms"]))


def notice(frame):
    return FENCE.pack(b"ONLF", 1, 0, FENCE.size, frame["host"], frame["incarnation"], frame["nonce"])


def encode(frame):
    """The payloads that say it."""
    kind = frame["frame"]
    if kind == "mark":
        return [mark(frame["generation"], frame["in_transition"])]
    if kind == "steering":
        return steering_parts(frame)
    return [{"presence": presence, "notice": notice}[kind](frame)]


def decode_fence(payload):
    """The document's steps 1 to 5."""
    require(len(payload) >= FENCE.size, "short_frame")
    magic, major, _, total, host, incarnation, nonce = FENCE.unpack_from(payload)
    require(magic in (b"ONLM", b"ONLF"), "bad_magic")
    require(major == 1, "other_version")
    needed = FENCE.size + (TIMES.size if magic == b"ONLM" else 0)
    require(needed <= total <= len(payload), "bad_length")
    require(1 <= host <= HOSTS, "bad_field")
    frame = {"frame": "notice", "host": host, "incarnation": incarnation, "nonce": nonce}
    if magic == b"ONLM":
        period, silence = TIMES.unpack_from(payload, FENCE.size)
        require(1 <= period <= 10_000 and period < silence <= 1_000_000, "bad_field")
        frame.update(frame="presence", period_ms=period, silence_ms=silence)
    return frame


def judge_field(kind, value, seen):
    least = {SEED: 16, ADDRESS: 16, SLOT: 2, PORT_RANGE: 8, ROW: 514}.get(kind, 0)
    require(len(value) >= least, "bad_field")
    if kind == ADDRESS:
        require(value[:16] not in seen[ADDRESS] and len(seen[ADDRESS]) < VIPS, "bad_field")
    elif kind == SLOT:
        require(value[0] < SLOTS and value[1] <= 2, "bad_field")
    elif kind == PORT_RANGE:
        slot, number, _, _, first, last = PORTS.unpack_from(value)
        require(slot < SLOTS and number <= VIPS and first <= last, "bad_field")
        require(len(seen[PORT_RANGE]) < RULES, "bad_field")
    elif kind == ROW:
        require(value[0] < SLOTS and all(one[0] != value[0] for one in seen[ROW]), "bad_field")
    if kind in seen:
        seen[kind].append(value[:least])


def judge_steering(payloads):
    """The receiver's steps from the header's length on, for parts that come one after another; the refusal's
    name, or None when all of it is taken."""
    bodies = {}
    seen = {kind: [] for kind in (SEED, ADDRESS, SLOT, PORT_RANGE, ROW)}
    try:
        for payload in payloads:
            require(len(payload) >= HEADER.size, "short_frame")
            magic, major, _, total, _, flags, part, count, _ = HEADER.unpack_from(payload)
            require(magic == b"ONLO", "bad_magic")
            require(major == 1, "other_version")
            require(HEADER.size <= total <= len(payload), "bad_length")
            if flags & IN_TRANSITION or not flags & CONTENT:
                return None
            require(part < count <= MOST_PARTS and total > HEADER.size, "bad_part")
            bodies[part] = payload[HEADER.size:total]
        for _, body in sorted(bodies.items()):
            while body:
                require(len(body) >= 4, "bad_field")
                kind, length = struct.unpack_from("!HH", body)
                require(len(body) >= 4 + length, "bad_field")
                judge_field(kind, body[4:4 + length], seen)
                body = body[4 + length:]
        require(all(PORTS.unpack(one)[1] <= len(seen[ADDRESS]) for one in seen[PORT_RANGE]), "bad_field")
        require(seen[SEED] and seen[ADDRESS], "missing_field")
    except Refused as refused:
        return str(refused)
    return None


def judge_fence(payloads):
    try:
        decode_fence(payloads[0])
    except Refused as refused:
        return str(refused)
    return None


HERE = {"frame": "presence", "host": 7, "incarnation": 0x0102030405060708, "nonce": 0x1112131415161718,
        "period_ms": 50, "silence_ms": 500}
SAID = {"frame": "steering", "generation": 7, "seed": bytes(range(0xa0, 0xb0)), "addresses": ["10.77.0.100"],
        "affinities": {0: 1, 65: 2}, "ports": [(0, 0, "tcp", 80, 443)],
        "rows": {0: [(0, 0), (9, 17), (4095, 4095)]}}


def vector_frames():
    return [
        ("a presence", HERE),
        ("a presence at its bounds", HERE | {"host": 64, "incarnation": 2**64 - 1, "nonce": 0,
                                             "period_ms": 10_000, "silence_ms": 1_000_000}),
        ("a presence of the shortest times", HERE | {"host": 1, "period_ms": 1, "silence_ms": 2}),
        ("a notice", {"frame": "notice", "host": 9, "incarnation": 0x2122232425262728,
                      "nonce": 0x3132333435363738}),
        ("a notice at its bounds", {"frame": "notice", "host": 64, "incarnation": 0, "nonce": 2**64 - 1}),
        ("a mark: what was said holds", {"frame": "mark", "generation": 0x01020304, "in_transition": False}),
        ("a mark: in transition", {"frame": "mark", "generation": 2**32 - 1, "in_transition": True}),
        ("buckets in one part", SAID),
        ("buckets in two parts, of IPv4 and IPv6, with ports of each protocol",
         SAID | {"generation": 0xfedcba98, "addresses": ["10.77.0.100", "fd77::100"],
                 "affinities": {0: 0, 1: 1, 2: 2, 64: 1, 65: 1},
                 "ports": [(0, 1, "tcp", 80, 80), (1, 2, "udp", 0, 65535), (2, 0, "both", 5000, 5009),
                           (63, 0, "none", 1, 1)],
                 "rows": {0: [(0, 4095)], 2: [], 65: [(1, 1), (8, 15), (2048, 4094)]}}),
    ]


def with_octets(payload, at, octets):
    return payload[:at] + bytes(octets) + payload[at + len(octets):]


def refused_fences():
    sound = presence(HERE)
    told = notice(HERE)
    for name, frame in (("presence", sound), ("notice", told)):
        yield f"{name} cut within its numbers", frame[:27]
        for at, octets, what in ((3, b"P", "with another magic"), (4, b"\2", "of another major version"),
                                 (6, b"\0\x1b", "of a length below its kind's"),
                                 (6, b"\0\xff", "longer than the payload"), (8, b"\0", "of no host"),
                                 (8, b"\x41", "of host 65")):
            yield f"{name} {what}", with_octets(frame, at, octets)
    yield "presence cut before its times", sound[:28]
    for period, silence in ((0, 500), (10_001, 20_000), (50, 50), (50, 1_000_001)):
        yield f"presence of {period} and {silence} ms", with_octets(sound, 28, TIMES.pack(period, silence))


def refused_parts():
    sound = steering_parts(SAID)[0]
    seed, address = field(SEED, bytes(16)), field(ADDRESS, address16("10.77.0.100"))
    for at, octets, what in ((3, b"P", "with another magic"), (4, b"\2", "of another major version"),
                             (6, b"\0\x0f", "shorter than its header"),
                             (6, b"\4\xff", "longer than the payload"),
                             (13, b"\1", "of a part beyond its count"), (14, b"\0", "of no parts"),
                             (13, b"\0\x41", "of 65 parts"), (6, b"\0\x10", "of an empty part")):
        yield "part " + what, with_octets(sound, at, octets)
    yield "part cut in its header", sound[:15]
    for what, body in (
            ("without a seed", address), ("without an address", seed),
            ("whose last field is cut", seed + address[:-1]),
            ("that ends in a field's header", seed + address + b"\0\1\0"),
            ("with a short seed", field(SEED, bytes(15)) + address),
            ("with a short address", seed + field(ADDRESS, bytes(15))),
            ("with an address twice", seed + address + address),
            ("with 65 addresses", seed + b"".join(field(ADDRESS, bytes(15) + bytes([i])) for i in range(65))),
            ("of slot 66", seed + address + field(SLOT, b"\x42\0")),
            ("of affinity 3", seed + address + field(SLOT, b"\0\3")),
            ("with a short slot", seed + address + field(SLOT, b"\0")),
            ("with ports of slot 66", seed + address + field(PORT_RANGE, PORTS.pack(66, 0, 1, 0, 1, 1))),
            ("with ports of an address that is not there",
             seed + address + field(PORT_RANGE, PORTS.pack(0, 2, 1, 0, 1, 1))),
            ("with ports backwards", seed + address + field(PORT_RANGE, PORTS.pack(0, 0, 1, 0, 2, 1))),
            ("with 65 ranges of ports",
             seed + address + 65 * field(PORT_RANGE, PORTS.pack(0, 0, 1, 0, 1, 1))),
            ("with a short row", seed + address + field(ROW, bytes(513))),
            ("with a row of slot 66", seed + address + field(ROW, b"\x42" + bytes(513))),
            ("with a row twice", seed + address + 2 * field(ROW, bytes(514)))):
        yield "part " + what, wrapped([body], 7)[0]


PREAMBLE = """# Test vectors of what members and their switch say to each other, version 1.0
# (docs/protocol/steering-announcement.md, fence-notice.md): Ethernet payloads.
# Written by tests/wire/switch_oracle.py, which shares no code with the implementation;
# read by tests/wire/switch_vectors_test.cc.
# Numbers are decimal, seed and bytes hexadecimal; "part" begins a payload, several "bytes" are one string.
# slot: number, affinity (0 where it is not named). ports: slot, number of an address, protocols, first, last.
# row: slot, buckets.
"""


def text(frame):
    lines = ["frame " + frame["frame"]]
    for name in ("generation", "in_transition", "host", "incarnation", "nonce", "period_ms", "silence_ms"):
        if name in frame:
            lines.append(f"{name} {int(frame[name])}")
    if frame["frame"] == "steering":
        lines.append("seed " + frame["seed"].hex())
        lines += ["address " + one for one in frame["addresses"]]
        lines += [f"slot {slot} {affinity}" for slot, affinity in frame["affinities"].items()]
        lines += ["ports " + " ".join(map(str, one)) for one in frame["ports"]]
        lines += [f"row {slot} " + (",".join(f"{a}-{b}" for a, b in ranges) or "none")
                  for slot, ranges in frame["rows"].items()]
    return lines


def hexadecimal(payload):
    data = payload.hex()
    return ["part"] + ["bytes " + data[start:start + 96] for start in range(0, len(data), 96)]


def vectors():
    lines = [PREAMBLE]
    for name, frame in vector_frames():
        lines += ["vector " + name, *text(frame)]
        for payload in encode(frame):
            lines += hexadecimal(payload)
        lines.append("")
    for kind, refused, judge in (("fence", refused_fences(), judge_fence),
                                 ("steering", refused_parts(), judge_steering)):
        for name, payload in refused:
            verdict = judge([payload])
            assert verdict, name
            lines += ["vector " + name, "frame " + kind, "refused " + verdict, *hexadecimal(payload), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(vectors(), end="")
