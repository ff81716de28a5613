# SPDX-License-Identifier: Apache-2.0
"""A second, independent reading of docs/protocol/heartbeat.md and administration.md, in another language and
with no shared code.

`oracle.py vectors` prints docs/protocol/heartbeat-vectors.txt. Frames are dictionaries whose keys are the
names that the vectors use.
"""
import hashlib
import hmac
import ipaddress
import struct
import sys

KEY = bytes(range(1, 33))
CLUSTER_NAME, PRIMARY_VIP = "web", "10.77.0.100"
BUCKETS, HOSTS, SLOTS = 4096, 64, 66
HEADER = struct.Struct("!4sBBBBHH8s8sQQ")
FIXED = struct.Struct("!HBBIQQBBHHHIIIIIHH16s6sBB64s")
PEER = struct.Struct("!BBHIII")
HELD = struct.Struct("!IHHHBBBBH")
MESSAGE = struct.Struct("!BBBBHHIIQQ")
LARGEST_CHUNK, SMALLEST_ROOM, MOST_PARTS = 1400, 112, 64
SMALLEST, LARGEST = 204, 1500

FIXED_NAMES = ["flags", "state", "phase", "view", "view_members", "view_digest", "mode", "peer_count",
               "period_ms", "tolerance", "hold_s", "vips_digest", "rules_digest", "seed_digest",
               "generation", "offer_generation", "held_generation", "held_parts", "dedicated_ip",
               "adapter_mac", "kept_generation", "kept_parts", "offers"]
TEXT_ORDER = ["sender", "incarnation", "sequence", "flags", "state", "phase", "view", "view_members",
              "view_digest", "mode", "period_ms", "tolerance", "hold_s", "vips_digest", "rules_digest",
              "seed_digest", "generation", "offer_generation", "held_generation", "held_parts",
              "kept_generation", "kept_parts", "dedicated_ip", "adapter_mac", "offers"]
PEER_ORDER = ["id", "phase", "accused", "held_generation", "incarnation", "sequence", "view",
              "kept_generation"]
HELD_ORDER = ["sender", "incarnation", "sequence", "view", "generation", "part", "parts"]
KEPT_ORDER = HELD_ORDER + ["owner", "held_from"]
MESSAGE_ORDER = ["sender", "incarnation", "sequence", "kind", "target", "part", "parts", "number", "echo",
                 "target_incarnation", "have", "data"]
ORDERS = {"heartbeat": TEXT_ORDER, "held_part": HELD_ORDER, "kept_part": KEPT_ORDER,
          "message_part": MESSAGE_ORDER}
KINDS = {"heartbeat": 1, "held_part": 2, "message_part": 3, "kept_part": 4}
LAST_KEPT_GENERATION = 31


def address16(text):
    address = ipaddress.ip_address(text)
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def purpose_digest(purpose, data, size):
    return hashlib.sha256(purpose.encode() + data).digest()[:size]


def key_id(key):
    return purpose_digest("opennlb key id", key, 8)


def cluster_id(name, vip):
    return purpose_digest("opennlb cluster id", name.encode() + address16(vip), 8)


def sign(data, key=KEY):
    return hmac.new(key, data, hashlib.sha256).digest()[:16]


def bitmap(buckets):
    octets = bytearray(BUCKETS // 8)
    for bucket in buckets:
        octets[bucket // 8] |= 1 << (bucket % 8)
    return bytes(octets)


def body_of(frame):
    if frame["frame"] == "heartbeat":
        values = dict(frame, peer_count=len(frame["peers"]))
        body = FIXED.pack(*(values[name] for name in FIXED_NAMES))
        for peer in frame["peers"]:
            bits = peer["phase"] | peer["accused"] << 2 | peer["kept_generation"] << 3
            body += PEER.pack(peer["id"], bits, peer["held_generation"], peer["incarnation"],
                              peer["sequence"], peer["view"])
        return body
    if frame["frame"] == "message_part":
        data = frame["data"]
        fixed = MESSAGE.pack(frame["kind"], frame["target"], frame["part"], frame["parts"], len(data), 0,
                             frame["number"], frame["echo"], frame["target_incarnation"], frame["have"])
        return fixed + data + bytes(max(0, SMALLEST_ROOM - len(data)))
    numbers = [number for number, _ in frame["slots"]]
    second = numbers[1] if len(numbers) == 2 else 0xff
    body = HELD.pack(frame["view"], frame["generation"], frame["part"], frame["parts"], len(numbers),
                     numbers[0], second, frame.get("owner", 0), frame.get("held_from", 0))
    return body + b"".join(bitmap(buckets) for _, buckets in frame["slots"])


def envelope(frame, body, key=KEY, minor=0, kind=None):
    kind = kind or KINDS[frame["frame"]]
    total = HEADER.size + len(body) + 16
    data = HEADER.pack(b"ONLB", 1, minor, kind, frame["sender"], total, 0, key_id(key),
                       cluster_id(CLUSTER_NAME, PRIMARY_VIP), frame["incarnation"], frame["sequence"]) + body
    return data + sign(data, key)


def encode(frame):
    return envelope(frame, body_of(frame))


class Refused(Exception):
    pass


def require(condition, name):
    if not condition:
        raise Refused(name)


def decode(payload):
    """The numbered steps of the document up to the field ranges; raises Refused(name)."""
    require(len(payload) >= SMALLEST, "too_short")
    require(len(payload) <= LARGEST, "too_long")
    (magic, major, minor, kind, sender, total, _, key, cluster, incarnation,
     sequence) = HEADER.unpack_from(payload)
    require(magic == b"ONLB", "wrong_magic")
    require(major == 1, "wrong_version")
    require(cluster == cluster_id(CLUSTER_NAME, PRIMARY_VIP), "other_cluster")
    require(key == key_id(KEY), "unknown_key")
    require(SMALLEST <= total <= len(payload), "bad_length")
    require(hmac.compare_digest(sign(payload[:total - 16]), payload[total - 16:total]), "bad_signature")
    require(kind in (1, 2, 3, 4), "bad_field")
    frame = {"sender": sender, "incarnation": incarnation, "sequence": sequence}
    body = payload[HEADER.size:total - 16]
    {1: decode_heartbeat, 2: decode_held, 3: decode_message, 4: decode_kept}[kind](body, minor, frame)
    require(1 <= sender <= HOSTS, "bad_field")
    return frame


def decode_heartbeat(body, minor, frame):
    frame["frame"] = "heartbeat"
    require(len(body) >= FIXED.size, "bad_length")
    frame.update(zip(FIXED_NAMES, FIXED.unpack_from(body)))
    count = frame["peer_count"]
    require(count <= HOSTS, "bad_field")
    end = FIXED.size + count * PEER.size
    require(len(body) == end or (minor > 0 and len(body) > end), "bad_length")
    frame["flags"] &= 0xfff
    frame["peers"] = []
    for i in range(count):
        ident, bits, held, incarnation, sequence, view = PEER.unpack_from(body, FIXED.size + i * PEER.size)
        frame["peers"].append({"id": ident, "phase": bits & 3, "accused": bits >> 2 & 1,
                               "held_generation": held,
                               "incarnation": incarnation, "sequence": sequence, "view": view,
                               "kept_generation": bits >> 3})
    ids = [peer["id"] for peer in frame["peers"]]
    good = (frame["state"] <= 5 and frame["phase"] <= 3 and 1 <= frame["mode"] <= 3
            and 10 <= frame["period_ms"] <= 10000 and 3 <= frame["tolerance"] <= 100
            and frame["held_parts"] <= 33 and (frame["held_generation"] > 0 or frame["held_parts"] == 0)
            and frame["kept_generation"] <= LAST_KEPT_GENERATION and frame["kept_parts"] <= 33
            and (frame["kept_generation"] > 0 or frame["kept_parts"] == 0)
            and not frame["adapter_mac"][0] & 1 and all(o <= 203 or o >= 253 for o in frame["offers"])
            and len(set(ids)) == len(ids) and all(1 <= ident <= HOSTS for ident in ids))
    require(good, "bad_field")


def decode_held(body, minor, frame):
    frame["frame"] = "held_part"
    require(len(body) >= HELD.size, "bad_length")
    view, generation, part, parts, count, first, second, _, _ = HELD.unpack_from(body)
    require(count in (1, 2) and (count == 2 or second == 0xff), "bad_field")
    end = HELD.size + count * BUCKETS // 8
    require(len(body) == end or (minor > 0 and len(body) > end), "bad_length")
    frame.update(view=view, generation=generation, part=part, parts=parts, slots=[])
    for i, number in enumerate((first, second)[:count]):
        octets = body[HELD.size + i * 512:HELD.size + (i + 1) * 512]
        frame["slots"].append((number, [b for b in range(BUCKETS) if octets[b // 8] >> b % 8 & 1]))
    require(generation > 0 and 1 <= parts <= 33 and part < parts, "bad_field")
    require(first < SLOTS and (count == 1 or first < second < SLOTS), "bad_field")


def decode_kept(body, minor, frame):
    require(len(body) >= HELD.size, "bad_length")
    decode_held(body, minor, frame)
    owner, held_from = HELD.unpack_from(body)[7:]
    frame.update(frame="kept_part", owner=owner, held_from=held_from)
    require(1 <= owner <= HOSTS and frame["generation"] <= LAST_KEPT_GENERATION, "bad_field")


def decode_message(body, minor, frame):
    frame["frame"] = "message_part"
    require(len(body) >= MESSAGE.size + SMALLEST_ROOM, "bad_length")
    kind, target, part, parts, length, _, number, echo, target_incarnation, have = MESSAGE.unpack_from(body)
    end = MESSAGE.size + max(length, SMALLEST_ROOM)
    require(len(body) == end or (minor > 0 and len(body) > end), "bad_length")
    frame.update(kind=kind, target=target, part=part, parts=parts, number=number, echo=echo,
                 target_incarnation=target_incarnation, have=have,
                 data=body[MESSAGE.size:MESSAGE.size + length])
    require(1 <= kind <= 3 and 1 <= target <= HOSTS and number > 0, "bad_field")
    require(1 <= parts <= MOST_PARTS and part < parts, "bad_field")
    if kind == 3:
        require(parts == 1 and length == 0, "bad_field")
    elif part + 1 < parts:
        require(length == LARGEST_CHUNK, "bad_field")
    require(length <= LARGEST_CHUNK, "bad_field")


def ranges(buckets):
    parts, first = [], None
    for bucket in buckets:
        if first is not None and bucket == last + 1:
            last = bucket
            parts[-1] = f"{first}-{last}"
            continue
        first = last = bucket
        parts.append(str(bucket))
    return ",".join(parts) or "none"


def text(frame):
    lines = ["frame " + frame["frame"]]
    for name in ORDERS[frame["frame"]]:
        value = frame[name]
        lines.append(f"{name} {(value.hex() or 'none') if isinstance(value, bytes) else value}")
    for peer in frame.get("peers", []):
        lines.append("peer " + " ".join(str(peer[name]) for name in PEER_ORDER))
    for number, buckets in frame.get("slots", []):
        lines.append(f"slot {number} {ranges(buckets)}")
    return "\n".join(lines) + "\n"


def heartbeat(**changes):
    frame = {"frame": "heartbeat", "sender": 1, "incarnation": 0x6000000012345678, "sequence": 42, "flags": 0,
             "state": 3, "phase": 3, "view": 7, "view_members": 7, "view_digest": 0x0123456789abcdef,
             "mode": 1, "period_ms": 50, "tolerance": 10, "hold_s": 0, "vips_digest": 0x11111111,
             "rules_digest": 0x22222222,
             "seed_digest": 0x33333333, "generation": 5, "offer_generation": 2, "held_generation": 1,
             "held_parts": 0, "kept_generation": 0, "kept_parts": 0, "dedicated_ip": address16("10.77.0.11"),
             "adapter_mac": bytes.fromhex("525400000001"),
             "offers": bytes([101]) + bytes(63), "peers": []}
    frame.update(changes)
    return frame


def peer(ident, **changes):
    report = {"id": ident, "phase": 3, "accused": 0, "held_generation": 1, "incarnation": 0xabcd0000 + ident,
              "sequence": 1000 + ident, "view": 7, "kept_generation": 0}
    report.update(changes)
    return report


def held_part(slots, **changes):
    frame = {"frame": "held_part", "sender": 2, "incarnation": 0x6000000087654321, "sequence": 43, "view": 7,
             "generation": 1, "part": 0, "parts": 1, "slots": slots}
    frame.update(changes)
    return frame


def kept_part(slots, **changes):
    return held_part(slots, **{"frame": "kept_part", "owner": 2, "held_from": 0} | changes)


def message_part(**changes):
    frame = {"frame": "message_part", "sender": 1, "incarnation": 0x6000000012345678, "sequence": 3,
             "kind": 1, "target": 2, "part": 0, "parts": 1, "number": 7, "echo": 1043,
             "target_incarnation": 0x6000000087654321, "have": 0, "data": b'{"command":"query"}'}
    frame.update(changes)
    return frame


def example_digests():
    vips = sorted([address16("2001:db8::64"), address16("10.77.0.100")])
    rule = struct.Struct("!16sHHBBBI")
    rules = [rule.pack(address16("10.77.0.100"), 25, 25, 3, 2, 0, 0),
             rule.pack(bytes(16), 80, 443, 1, 1, 1, 600)]
    numbers = {"vips": b"".join(vips), "rules": b"".join(rules), "seed": bytes(range(0xa0, 0xb0))}
    return {name: int.from_bytes(purpose_digest(f"opennlb {name}", data, 4), "big")
            for name, data in numbers.items()}


def vector_frames():
    largest = [peer(i, accused=1, held_generation=0xffff, incarnation=2**32 - 1, sequence=2**32 - 1,
                    view=2**32 - 1, kept_generation=31)
               for i in range(1, 65)]
    return [
        ("hears nobody", heartbeat(state=2, phase=0, view=0, view_members=0, view_digest=0, flags=0x41)),
        ("three hosts converged", heartbeat(peers=[peer(2), peer(3)])),
        ("understands kept lists, keeps something itself",
         heartbeat(flags=0x180, kept_generation=2, kept_parts=1,
                   peers=[peer(2, kept_generation=1), peer(3, kept_generation=31, accused=1)])),
        ("IPv6, one peer accused", heartbeat(dedicated_ip=address16("2001:db8::b"), phase=1,
                                             peers=[peer(2), peer(3, accused=1, phase=0, view=0)])),
        ("planned restart, drained and disabled rules",
         heartbeat(flags=0x04, hold_s=10, offers=bytes([254, 255, 0, 100, 64]) + bytes(59))),
        ("unhealthy rules: weight 30 and equal if all are, none in any case; the host is out",
         heartbeat(flags=0x600, offers=bytes([102 + 30, 102 + 101, 253, 101]) + bytes(60), peers=[peer(2)])),
        ("the largest", heartbeat(sender=64, incarnation=2**64 - 1, sequence=2**64 - 1, flags=0xfff,
                                  view_members=2**64 - 1, mode=3, period_ms=10000, tolerance=100,
                                  hold_s=65535, held_generation=65535, held_parts=33,
                                  kept_generation=31, kept_parts=33,
                                  offers=bytes([255] * 64), peers=largest)),
        ("held: three buckets of one rule", held_part([(0, [0, 9, 4095])])),
        ("held: two slots, one of them whole", held_part([(63, [1, 2, 3, 512]), (65, list(range(BUCKETS)))],
                                                         part=32, parts=33)),
        ("kept: the first list of a view", kept_part([(0, [7, 8, 9]), (3, [4095])])),
        ("kept: a later list, empty, of host 3, passed on",
         kept_part([(0, [])], generation=31, owner=3, held_from=65535)),
        ("message: a request", message_part()),
        ("message: heard, no answer yet",
         message_part(sender=2, incarnation=0x6000000087654321, kind=3, target=1, have=1, data=b"",
                      target_incarnation=0x6000000012345678)),
        ("message: the first of two parts of an answer",
         message_part(sender=64, kind=2, target=64, parts=2, number=2**32 - 1, echo=2**32 - 1, have=2**64 - 1,
                      target_incarnation=2**64 - 1, data=bytes(range(200)) * 7)),
    ]


PREAMBLE = """# Test vectors of the heartbeat protocol, version 1.0 (docs/protocol/heartbeat.md).
# Written by tests/wire/oracle.py, which shares no code with the implementation;
# read by tests/wire/vectors_test.cc.
# Numbers are decimal; addresses, offers and bytes are hexadecimal; several "bytes" lines are one string.
# peer: id, phase, accused, held generation, incarnation, sequence, view, kept generation.
# slot: number, buckets.
# data: hexadecimal, or none.
"""


def print_vectors():
    print(PREAMBLE)
    print(f"cluster {CLUSTER_NAME} {PRIMARY_VIP}\nkey {KEY.hex()}\nkey_id {key_id(KEY).hex()}")
    print(f"cluster_id {cluster_id(CLUSTER_NAME, PRIMARY_VIP).hex()}\n")
    print("# VIPs 10.77.0.100 and 2001:db8::64; seed a0 a1 … af; rules: all VIPs 80-443 tcp multiple,"
          "\n# affinity single, timeout 600 s; 10.77.0.100 25-25 both single.")
    for name, number in example_digests().items():
        print(f"example_{name}_digest {number}")
    for name, frame in vector_frames():
        print(f"\nvector {name}\n{text(frame)}", end="")
        data = encode(frame).hex()
        for start in range(0, len(data), 96):
            print("bytes " + data[start:start + 96])


if __name__ == "__main__":
    if sys.argv[1:] != ["vectors"]:
        sys.exit("usage: oracle.py vectors")
    print_vectors()
