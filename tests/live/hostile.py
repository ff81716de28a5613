#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Frames that should not be believed, and hosts that should not share a view."""
import json
import re
from pathlib import Path

from live import main, need, need_no_failure, wait_for

# Runs in the client: records heartbeats from the wire, then sends them again, changed as asked.
FORGER = r'''
import random, socket, sys, time
how, seconds, rate = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
s.bind(("eth0", 0x88b5))
frames = []
while len(frames) < 20:
    frame, address = s.recvfrom(2000)
    if address[2] != 4: frames.append(frame)
s.close()
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
def changed(frame):
    payload = bytearray(frame[14:])
    if how == "replay": pass
    elif how == "flip": payload[random.randrange(len(payload))] ^= 1 << random.randrange(8)
    elif how == "cut": payload = payload[:random.randrange(20, len(payload))]
    elif how == "version": payload[4] ^= 0x7f
    elif how == "random": payload = bytearray(random.randbytes(len(payload)))
    return frame[:14] + bytes(payload)
batch = [changed(random.choice(frames)) for _ in range(2000)]
end, sent = time.monotonic() + seconds, 0
while time.monotonic() < end:
    for frame in batch:
        s.send(frame); sent += 1
    if rate: time.sleep(max(0, sent / rate - (seconds - (end - time.monotonic()))))
print(sent)
'''


# How a frame is changed, and what the receivers may count it as.
FORGERIES = {
    "replay": {"replayed", "own_frame"},
    "flip": {"bad_signature", "unknown_key", "wrong_version", "other_cluster", "wrong_magic", "bad_length"},
    "cut": {"too_short", "bad_length", "bad_signature"},
    "version": {"wrong_version"},
    "random": {"wrong_magic"},
}


def refused(lab, host):
    return json.loads(lab.host(host, "--json", "counters").stdout)["heartbeat"]["refused"]


def forged(run):
    lab = run.lab
    lab.up()
    for how, reasons in FORGERIES.items():
        with run.case(f"{how}: refused, counted by reason, nobody is evicted") as notes:
            view = lab.query(1)["view"]
            before = refused(lab, 1)
            done = lab.lab("exec", "client1", "--", "python3", "-c", FORGER, how, "1", "5000", timeout=30)
            after = refused(lab, 1)
            grown = {reason: count - before[reason] for reason, count in after.items()}
            grown = {reason: count for reason, count in grown.items() if count > 0}
            sent = int(done.stdout)
            need(set(grown) & reasons, f"{sent} sent, counted: {grown}")
            need(set(grown) <= reasons | {"stale_incarnation"}, f"{sent} sent, counted: {grown}")
            need(sum(grown.values()) >= sent * 0.9, f"{sent} sent, counted: {grown}")
            need(lab.query(1)["view"] == view, "the view changed")
            notes.append(f"{sent} sent, counted {grown}")


def flood(run):
    lab = run.lab
    lab.up()
    with run.case("forged frames as fast as one can send them, 3 s: nobody is evicted") as notes:
        view = lab.query(1)["view"]
        done = lab.lab("exec", "client1", "--", "python3", "-c", FORGER, "flip", "3", "0", timeout=30)
        need_no_failure(lab.load(500))
        members = [lab.members(host) for host in (1, 2, 3)]
        need(members == [[1, 2, 3]] * 3, f"members: {members}")
        notes.append(f"{int(done.stdout) / 3:.0f} frames a second, view {view} -> {lab.query(1)['view']}")
    with run.case("the log is limited: one line a reason and second"):
        log = Path(f"{lab.root}/host1/nlbd.log").read_text()
        lines = [line for line in log.splitlines() if "frames_refused" in line]
        need(0 < len(lines) < 100, f"{len(lines)} lines")


def edit(lab, host, pattern, replacement):
    path = Path(f"{lab.root}/host{host}/web.toml")
    text = re.sub(pattern, replacement, path.read_text(), count=1)
    path.write_text(text)


def mismatched(run):
    lab = run.lab
    for item, pattern, replacement in (("port rules", r'ports *= "80"', 'ports = "80-81"'),
                                       ("heartbeat profile", r"tolerance *= *\d+", "tolerance = 11"),
                                       ("vips", r'vips *= *\["10\.77\.0\.100([^"]*)"\]',
                                        r'vips = ["10.77.0.100\1", "10.77.0.101\1"]')):
        with run.case(f"host 3 has other {item}: it is refused with the item named, the others serve on"):
            lab.up()
            edit(lab, 3, pattern, replacement)
            lab.host(3, "reload")
            wait_for("host 3 is refused", lambda: lab.state(3) == "refused", 5)
            need(item in lab.host(3, "display").stdout, lab.host(3, "display").stdout)
            lab.wait_members([1, 2])
            need_no_failure(lab.load(300))
            named = wait_for("the others name host 3", lambda: item in lab.host(1, "events").stdout, 5)
            need(named >= 0, "")
    with run.case("and is taken back when its file is mended"):
        edit(lab, 3, r'vips *= .*', 'vips = ["10.77.0.100/24"]')
        lab.host(3, "reload")
        lab.wait_members([1, 2, 3])


def bad_reload(run):
    lab = run.lab
    lab.up()
    with run.case("a bad file is refused with its line, the old one stays in force"):
        edit(lab, 1, r"period_ms *= *\d+", "period_ms = 5")
        done = lab.host(1, "reload", check=False)
        allowed = "10..10000" in done.stderr.replace(" ", "")
        need(done.returncode == 2 and "web.toml:" in done.stderr and allowed,
             f"exit {done.returncode}: {done.stderr}")
        lab.wait_members([1, 2, 3])


def duplicate_id(run):
    lab = run.lab
    lab.up()
    with run.case("host 3 starts again with id 1: the incumbent is not disturbed, the other says why"):
        view = lab.query(1)["view"]
        lab.lab("fault", "kill", "host3")
        lab.wait_members([1, 2])
        edit(lab, 3, r"id *= *3", "id = 1")
        lab.lab("start", "host3", "--timeout", 0, check=False)
        wait_for("the newcomer is refused", lambda: lab.state(3) == "refused", 10)
        need("host id 1" in lab.host(3, "display").stdout, lab.host(3, "display").stdout)
        need(lab.members(1) == [1, 2] and view, f"{lab.members(1)}")
        need_no_failure(lab.load(300))


def scenario(run):
    for part in (forged, flood, mismatched, bad_reload, duplicate_id):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
