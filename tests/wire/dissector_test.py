#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Wireshark dissector against frames of the C++ encoder: every field of every vector, as tshark shows it.

tshark refuses Lua scripts to root, so it runs as nobody there.
Usage: dissector_test.py FRAME_TOOL LUA_SCRIPT ANNOUNCEMENT_VECTORS SWITCH_VECTORS
Exit 77 = skipped (no tshark)."""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import oracle
import switch_oracle

TOOL, SCRIPT, ANNOUNCEMENTS, SWITCH_VECTORS = sys.argv[1:]
NOBODY = 65534
TAG = bytes(range(1, 9))
HEARTBEAT_FIELDS = {
    "type": 1, "sender": "sender", "incarnation": "incarnation", "sequence": "sequence", "flags": "flags",
    "state": "state", "phase": "phase", "view": "view", "view.members": "view_members",
    "view.digest": "view_digest", "mode": "mode", "period_ms": "period_ms", "tolerance": "tolerance",
    "hold_s": "hold_s", "digest.vips": "vips_digest", "digest.rules": "rules_digest",
    "digest.seed": "seed_digest", "config_generation": "generation", "offer_generation": "offer_generation",
    "held.generation": "held_generation", "held.parts": "held_parts",
    "kept.generation": "kept_generation", "kept.parts": "kept_parts"}
HELD_FIELDS = {"type": 2, "sender": "sender", "incarnation": "incarnation", "sequence": "sequence",
               "view": "view",
               "held.generation": "generation", "held.part": "part", "held.parts": "parts"}
KEPT_FIELDS = HELD_FIELDS | {"type": 4, "kept.owner": "owner", "kept.held_from": "held_from"}
MESSAGE_FIELDS = {"type": 3, "sender": "sender", "incarnation": "incarnation", "sequence": "sequence",
                  "message.kind": "kind", "message.target": "target", "message.part": "part",
                  "message.parts": "parts", "message.number": "number", "message.echo": "echo",
                  "message.target_incarnation": "target_incarnation", "message.have": "have"}
PEER_FIELDS = {"id": "id", "phase": "phase", "accused": "accused", "held_generation": "held_generation",
               "incarnation": "incarnation", "sequence": "sequence", "view": "view",
               "kept_generation": "kept_generation"}
FLAG_FIELDS = ["fresh", "leaving", "restarting", "to_cluster_mac", "ask", "unhealthy", "alone", "keeps",
               "owns_nothing", "out_of_service", "serves_as_last", "in_ip"]
OTHERS = ["magic", "version.major", "version.minor", "length", "key_id", "cluster_id", "signature", "tag",
          "peer_count", "adapter_mac", "dedicated_ip", "dedicated_ipv6", "offer", "held.slot",
          "held.slot_count", "held.bucket_count", "held.bitmap", "message.length", "message.data", "appended",
          "damaged"]

# of policy announcements, as their vectors' file describes them
DECLARED = {"magic": "ONLP", "version.major": "1", "version.minor": "0", "length": "76", "host": "kvm7",
            "bridge": "br0", "port": "tap-web1", "vm": "web1", "adapter": "net0", "mac": "52:54:00:00:00:01",
            "mac_spoofing": "1", "host_id": "3", "audit": "0", "require_stopped": "1", "cluster": "web"}
UNDECLARED = DECLARED | {"length": "43", "vm": "", "adapter": "", "mac": "", "mac_spoofing": "0",
                         "host_id": "0", "audit": "1", "require_stopped": "0", "cluster": ""}


def pcap(frames, ether_type="88b5"):
    data = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
    ethernet = bytes.fromhex("03bf0a4d0064" "525400000001" + ether_type)
    for number, frame in enumerate(frames):
        packet = ethernet + frame
        data += struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet
    return data


def tshark(capture, script, fields):
    command = ["tshark", "-r", capture, "-X", "lua_script:" + script, "-T", "fields", "-E", "separator=|",
               "-E", "occurrence=a", "-E", "aggregator=,"]
    for field in fields:
        command += ["-e", "opennlb." + field]
    as_root = os.geteuid() == 0
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          user=NOBODY if as_root else None,
                          group=NOBODY if as_root else None, extra_groups=[] if as_root else None,
                          env={"PATH": os.environ["PATH"], "HOME": os.path.dirname(capture)}, timeout=120)
    assert done.returncode == 0, done.stderr
    return [dict(zip(fields, line.split("|"))) for line in done.stdout.splitlines()]


def dissect(directory, frames, fields, ether_type="88b5"):
    capture = os.path.join(directory, "frames.pcap")
    with open(capture, "wb") as file:
        file.write(pcap(frames, ether_type))
    script = shutil.copy(SCRIPT, directory)  # nobody may not be able to read the tree
    for path in (capture, script):
        os.chmod(path, 0o644)
    return tshark(capture, script, fields)


def numbers(text):
    return [int(item, 0) for item in text.split(",")] if text else []


def expect(name, shown, wanted):
    assert shown == wanted, f"{name}: shown {shown}, sent {wanted}"


def check_common(row, data):
    expect("magic", row["magic"], "ONLB")
    expect("version", (row["version.major"], row["version.minor"]), ("1", "0"))
    expect("length", int(row["length"]), len(data))
    expect("key id", row["key_id"], oracle.key_id(oracle.KEY).hex())
    expect("cluster id", row["cluster_id"], oracle.cluster_id("web", "10.77.0.100").hex())
    expect("signature", row["signature"], data[-16:].hex())
    expect("nothing appended, nothing damaged", (row["appended"], row["damaged"]), ("", ""))


def check_heartbeat(row, frame):
    for field, source in HEARTBEAT_FIELDS.items():
        expect(field, numbers(row[field]), [source if isinstance(source, int) else frame[source]])
    for bit, field in enumerate(FLAG_FIELDS):
        expect(field, row["flags." + field], str(frame["flags"] >> bit & 1))
    expect("peer count", int(row["peer_count"]), len(frame["peers"]))
    for field, source in PEER_FIELDS.items():
        expect("peer " + field, numbers(row["peer." + field]), [peer[source] for peer in frame["peers"]])
    expect("adapter MAC", row["adapter_mac"], frame["adapter_mac"].hex(":"))
    shown = row["dedicated_ip"] or row["dedicated_ipv6"]
    expect("dedicated IP", oracle.address16(shown), frame["dedicated_ip"])
    expect("offers", numbers(row["offer"]), list(frame["offers"]))


def check_held(row, frame, fields=None):
    for field, source in (fields or HELD_FIELDS).items():
        expect(field, numbers(row[field]), [source if isinstance(source, int) else frame[source]])
    expect("slot count", int(row["held.slot_count"]), len(frame["slots"]))
    expect("slots", numbers(row["held.slot"]), [number for number, _ in frame["slots"]])
    counts = [len(buckets) for _, buckets in frame["slots"]]
    expect("bucket counts", numbers(row["held.bucket_count"]), counts)
    expect("bitmaps", row["held.bitmap"].split(","), [oracle.bitmap(b).hex() for _, b in frame["slots"]])


def check_kept(row, frame):
    check_held(row, frame, KEPT_FIELDS)


def check_message(row, frame):
    for field, source in MESSAGE_FIELDS.items():
        expect(field, numbers(row[field]), [source if isinstance(source, int) else frame[source]])
    expect("length", int(row["message.length"]), len(frame["data"]))
    expect("data", row["message.data"], frame["data"].hex())


CHECKS = {"heartbeat": check_heartbeat, "held_part": check_held, "kept_part": check_kept,
          "message_part": check_message}


def check_announcements(directory):
    with open(ANNOUNCEMENTS, encoding="ascii") as file:
        vectors = dict(line.split() for line in file if not line.startswith("#"))
    payloads = [bytes.fromhex(vectors[name]) for name in ("declared", "undeclared")]
    field = b"\0\x09\0\4\xfe\xdc\xba\x98" b"\0\x0a\0\0" b"\0\xff\0\2\xab\xcd"
    newer = payloads[1][:6] + struct.pack("!H", len(payloads[1]) + len(field)) + payloads[1][8:] + field
    names = ["policy." + name for name in [*DECLARED, "steering", "fences", "newer", "damaged"]]
    rows = dissect(directory, payloads + [newer, payloads[0][:-1]], names, "88b6")
    for row, wanted in zip(rows, (DECLARED, UNDECLARED)):
        for name, value in wanted.items():
            expect(name, row["policy." + name], value)
        expect("nothing newer, nothing damaged", (row["policy.newer"], row["policy.damaged"]), ("", ""))
    expect("a field of a newer version", rows[2]["policy.newer"], "abcd")
    expect("generation in force", rows[2]["policy.steering"], "0xfedcba98")
    expect("it fences", rows[2]["policy.fences"], "1")
    assert rows[3]["policy.damaged"], "a cut announcement is not called damaged"
    return len(names)


FENCE_FIELDS = ["host", "incarnation", "nonce", "period_ms", "silence_ms"]
STEERING_FIELDS = ["generation", "in_transition", "content", "part", "parts", "seed", "address", "addressv6",
                   "slot", "affinity", "ports.slot", "ports.address", "ports.protocols", "ports.first",
                   "ports.last", "row", "bucket_count", "bitmap", "newer"]


def check_fence_frame(row, frame):
    for name in FENCE_FIELDS:
        expect(name, numbers(row["fence." + name]), [frame[name]] if name in frame else [])


def check_steering(rows, frame):
    """All parts of one announcement, whose fields follow each other."""
    shown = {name: ",".join(row["steering." + name] for row in rows if row["steering." + name])
             for name in STEERING_FIELDS}
    has_content = frame["frame"] == "steering"
    expect("generation", set(numbers(shown["generation"])), {frame["generation"]})
    expect("in transition", {row["steering.in_transition"] for row in rows},
           {str(int(frame.get("in_transition", False)))})
    expect("content", {row["steering.content"] for row in rows}, {str(int(has_content))})
    expect("parts", numbers(shown["part"]), list(range(len(rows))))
    if not has_content:
        return expect("no fields", shown["slot"] + shown["seed"] + shown["row"], "")
    expect("part counts", set(numbers(shown["parts"])), {len(rows)})
    expect("seed", shown["seed"], frame["seed"].hex())
    addresses = [one for one in (shown["address"] + "," + shown["addressv6"]).split(",") if one]
    expect("addresses", addresses, frame["addresses"])
    expect("slots", numbers(shown["slot"]), list(range(switch_oracle.SLOTS)))
    expect("affinities", numbers(shown["affinity"]),
           [frame["affinities"].get(slot, 0) for slot in range(switch_oracle.SLOTS)])
    columns = [numbers(shown["ports." + name]) for name in ("slot", "address", "protocols", "first", "last")]
    expect("ports", list(zip(*columns)), [(slot, address, switch_oracle.PROTOCOLS[protocols], first, last)
                                          for slot, address, protocols, first, last in frame["ports"]])
    expect("rows", numbers(shown["row"]), sorted(frame["rows"]))
    bitmaps = [switch_oracle.bitmap(ranges) for _, ranges in sorted(frame["rows"].items())]
    expect("bitmaps", shown["bitmap"].split(","), [one.hex() for one in bitmaps])
    return expect("bucket counts", numbers(shown["bucket_count"]),
                  [int.from_bytes(one, "little").bit_count() for one in bitmaps])


def check_switch_frames(directory):
    """What members and their switch say to each other, from the published octets."""
    with open(SWITCH_VECTORS, encoding="ascii") as file:
        text = file.read()
    expect("the published vectors are the oracle's", text, switch_oracle.vectors())
    frames = [frame for _, frame in switch_oracle.vector_frames()]
    payloads = [payload for frame in frames for payload in switch_oracle.encode(frame)]
    here, said = payloads[0], switch_oracle.steering_parts(switch_oracle.SAID)[0]
    cut = [here[:-1], said[:-1], said[:15], said[:6] + b"\0\x12" + said[8:]]
    later = here[:5] + b"\1\0\x26" + here[8:] + b"\xab\xcd"
    names = (["fence." + name for name in [*FENCE_FIELDS, "appended", "damaged"]]
             + ["steering." + name for name in [*STEERING_FIELDS, "damaged"]])
    rows = dissect(directory, payloads + [later] + cut, names, "88b6")
    at = 0
    for frame in frames:
        parts = rows[at:at + len(switch_oracle.encode(frame))]
        at += len(parts)
        expect("nothing damaged, nothing newer",
               {row[name] for row in parts for name in
                ("fence.damaged", "fence.appended", "steering.damaged", "steering.newer")}, {""})
        if frame["frame"] in ("presence", "notice"):
            check_fence_frame(parts[0], frame)
        else:
            check_steering(parts, frame)
    expect("appended by a newer minor", rows[at]["fence.appended"], "abcd")
    for row in rows[at + 1:]:
        assert row["fence.damaged"] or row["steering.damaged"], "a cut frame is not called damaged"
    expect("frames", len(rows), len(payloads) + 1 + len(cut))
    return len(names)


def main():
    if shutil.which("tshark") is None:
        print("skipped: tshark is not installed (apt-get install tshark)")
        sys.exit(77)
    frames = [frame for _, frame in oracle.vector_frames()]
    given = "\n".join(oracle.text(frame) for frame in frames)
    encoded = subprocess.run([TOOL, "encode"], input=given, capture_output=True, text=True, check=True)
    payloads = [bytes.fromhex(line) for line in encoded.stdout.split()]
    newer = oracle.envelope(frames[0], oracle.body_of(frames[0]) + b"\xab\xcd", minor=1)
    cut = payloads[1][:-40]
    fields = (list(dict.fromkeys([*HEARTBEAT_FIELDS, *HELD_FIELDS, *KEPT_FIELDS, *MESSAGE_FIELDS]))
              + ["peer." + field for field in PEER_FIELDS]
              + ["flags." + field for field in FLAG_FIELDS] + OTHERS)
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        rows = dissect(directory, payloads + [newer, cut, payloads[0] + TAG], fields)
        announced = check_announcements(directory) + check_switch_frames(directory)
    assert len(rows) == len(frames) + 3, f"{len(rows)} rows"
    for row, frame, data in zip(rows, frames, payloads):
        check_common(row, data)
        CHECKS[frame["frame"]](row, frame)
    expect("appended by a newer minor", rows[-3]["appended"], "abcd")
    assert rows[-2]["damaged"], "a cut frame is not called damaged"
    expect("the tag", [row["tag"] for row in rows], [""] * (len(rows) - 1) + [TAG.hex()])
    check_common(rows[-1], payloads[0])
    print(f"{len(frames)} frames, {len(fields) + announced} fields: tshark shows what was sent")


main()
