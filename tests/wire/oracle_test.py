#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The C++ codec against the oracle: random frames byte for byte, random damage verdict for verdict, and the
minor versions against each other. Usage: oracle_test.py FRAME_TOOL FRAME_TOOL_MINOR1 VECTORS"""
import random
import subprocess
import sys

import oracle

TOOL, TOOL_MINOR1, VECTORS = sys.argv[1:]
FRAMES, DAMAGED = 400, 4000
draw = random.Random(2026)


def run(tool, command, given):
    done = subprocess.run([tool, command], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def bits(count):
    return draw.choice([0, 2**count - 1, draw.getrandbits(count)])


def any_peer(ident):
    return oracle.peer(ident, phase=draw.randrange(4), accused=draw.randrange(2), held_generation=bits(16),
                       kept_generation=bits(5), incarnation=bits(32), sequence=bits(32), view=bits(32))


def any_heartbeat():
    generation = bits(16)
    kept = bits(5)
    peers = draw.sample(range(1, 65), draw.choice([0, 1, 2, 3, 64, draw.randrange(65)]))
    return oracle.heartbeat(
        sender=draw.randint(1, 64), incarnation=bits(64), sequence=bits(64), flags=draw.randrange(512),
        state=draw.randrange(6), phase=draw.randrange(4), view=bits(32), view_members=bits(64),
        view_digest=bits(64), mode=draw.randint(1, 3), 
        period_ms=draw.choice([10, 10000, draw.randint(10, 10000)]),
        tolerance=draw.randint(3, 100), hold_s=bits(16), vips_digest=bits(32), rules_digest=bits(32),
        seed_digest=bits(32), generation=bits(32), offer_generation=bits(32), held_generation=generation,
        held_parts=draw.randint(0, 33) if generation else 0, kept_generation=kept,
        kept_parts=draw.randint(0, 33) if kept else 0, dedicated_ip=draw.randbytes(16),
        adapter_mac=bytes([draw.randrange(0, 256, 2)]) + draw.randbytes(5),
        offers=bytes(draw.choice([draw.randrange(102), 254, 255]) for _ in range(64)),
        peers=[any_peer(ident) for ident in peers])


def any_held_part():
    parts = draw.randint(1, 33)
    numbers = sorted(draw.sample(range(66), draw.randint(1, 2)))
    slots = [(number, sorted(draw.sample(range(4096), draw.choice([0, 1, 100, 4096])))) for number in numbers]
    values = {"sender": draw.randint(1, 64), "incarnation": bits(64), "sequence": bits(64), "view": bits(32),
              "part": draw.randrange(parts), "parts": parts}
    if draw.randrange(2):
        return oracle.held_part(slots, generation=draw.randint(1, 65535), **values)
    return oracle.kept_part(slots, generation=draw.randint(1, 31), owner=draw.randint(1, 64),
                            held_from=bits(16), **values)


def any_message_part():
    kind, parts = draw.randint(1, 3), draw.randint(1, 64)
    parts = 1 if kind == 3 else parts
    part = draw.randrange(parts)
    length = 1400 if part + 1 < parts else draw.choice([0, 1, 111, 112, 113, 1400, draw.randint(0, 1400)])
    return oracle.message_part(
        sender=draw.randint(1, 64), incarnation=bits(64), sequence=bits(64), kind=kind,
        target=draw.randint(1, 64), part=part, parts=parts, number=draw.randint(1, 2**32 - 1), echo=bits(32),
        target_incarnation=bits(64), have=bits(64), data=draw.randbytes(0 if kind == 3 else length))


def any_frame():
    return draw.choices([any_heartbeat, any_held_part, any_message_part], [70, 15, 15])[0]()


def compare_frames():
    frames = [any_frame() for _ in range(FRAMES)]
    ours = run(TOOL, "encode", "\n".join(oracle.text(frame) for frame in frames)).split()
    theirs = [oracle.encode(frame).hex() for frame in frames]
    assert ours == theirs, "encoders differ"
    read_back = run(TOOL, "decode", "\n".join(theirs) + "\n")
    assert read_back == "".join(oracle.text(frame) + "\n" for frame in frames), "decoder differs"
    return len(frames)


def damage(data):
    """Header, body, length and signature; most of it signed again, so that the ranges are reached."""
    data = bytearray(data[:-16])
    for _ in range(draw.randint(1, 3)):
        where = draw.choice([draw.randrange(44), draw.randrange(44, 60), draw.randrange(44, len(data))])
        data[where] = draw.choice([0, 1, 2, 4, 65, 66, 255, draw.randrange(256)])
    if draw.random() < 0.3:
        data = data[:draw.randrange(150, len(data) + 1)]
    if draw.random() < 0.2:
        data += draw.randbytes(draw.randrange(1, 40))
    if draw.random() < 0.7:
        data[8:10] = (len(data) + 16).to_bytes(2, "big")
    signature = oracle.sign(bytes(data)) if draw.random() < 0.9 else draw.randbytes(16)
    return bytes(data) + signature + bytes(draw.choice([0, 0, 0, 30]))


def verdict(data):
    try:
        return oracle.text(oracle.decode(data)).strip()
    except oracle.Refused as refused:
        return f"refused {refused}"


def compare_verdicts():
    seeds = [oracle.encode(any_frame()) for _ in range(100)]
    damaged = [damage(draw.choice(seeds)) for _ in range(DAMAGED)]
    ours = run(TOOL, "decode", "\n".join(data.hex() for data in damaged) + "\n").strip().split("\n\n")
    seen = {}
    for data, our_verdict in zip(damaged, ours, strict=True):
        their_verdict = verdict(data)
        assert our_verdict == their_verdict, f"{data.hex()}\nC++: {our_verdict}\noracle: {their_verdict}"
        name = their_verdict.split("\n")[0]
        seen[name] = seen.get(name, 0) + 1
    reached = {"refused " + name for name in ("too_short", "wrong_magic", "wrong_version", "other_cluster",
                                              "unknown_key", "bad_signature", "bad_length", "bad_field")}
    assert reached < set(seen), f"never provoked: {reached - set(seen)}"
    return seen


def compare_minors():
    frames = [any_frame() for _ in range(50)]
    texts = [oracle.text(frame) for frame in frames]
    expected = "".join(text + "\n" for text in texts)
    for sender, receiver in ((TOOL, TOOL_MINOR1), (TOOL_MINOR1, TOOL), (TOOL_MINOR1, TOOL_MINOR1)):
        data = run(sender, "encode", "\n".join(texts))
        assert run(receiver, "decode", data) == expected, f"{sender} is not understood by {receiver}"
    newer = run(TOOL_MINOR1, "encode", texts[0]).strip()
    assert newer.endswith(oracle.sign(bytes.fromhex(newer)[:-16]).hex())
    assert len(newer) == 2 * (len(oracle.encode(frames[0])) + 4), "minor 1 appends four bytes"


def main():
    with open(VECTORS, encoding="utf-8") as file:
        published = file.read()
    fresh = subprocess.run([sys.executable, oracle.__file__, "vectors"], capture_output=True, text=True,
                           check=True)
    assert published == fresh.stdout, "the published vectors are not what oracle.py prints"
    print(f"{compare_frames()} random frames: same bytes, same reading")
    for name, count in sorted(compare_verdicts().items()):
        print(f"{count:6} damaged frames: {name}")
    compare_minors()
    print("minor versions 0 and 1 understand each other")


main()
