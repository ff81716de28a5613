#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Frames that should not be believed, and hosts that should not share a view."""
import json
import os
import re
import subprocess
import time
from pathlib import Path

from live import main, need, need_no_failure, wait_for

# How a frame is changed, and what the receivers may count it as.
FORGERIES = {
    "replay": {"replayed", "own_frame"},
    "flip": {"bad_signature", "unknown_key", "wrong_version", "other_cluster", "wrong_magic", "bad_length"},
    "cut": {"too_short", "bad_length", "bad_signature"},  # or flipped in the tag, or without it: a replay
    "version": {"wrong_version"},
    "random": {"wrong_magic"},
}


def forge(lab, how, seconds, rate):
    done = lab.lab("exec", "client1", "--", lab.nlb_path, "lab", "forge", "--how", how, "--seconds", seconds,
                   "--rate", rate, timeout=60)
    return json.loads(done.stdout)


FILTERED = ("heartbeat_excess", "heartbeat_replayed")  # in the kernel, before nlbd reads them


def counters(lab, host):
    return json.loads(lab.host(host, "--json", "counters").stdout)


def filtered(lab, host):
    return {one["name"]: one["packets"] for one in counters(lab, host)["counters"] if one["name"] in FILTERED}


def refused(lab, host):
    return counters(lab, host)["heartbeat"]["refused"]


def forged(run):
    lab = run.lab
    lab.up()
    for how, reasons in FORGERIES.items():
        with run.case(f"{how}: refused, counted by reason, nobody is evicted") as notes:
            view = lab.query(1)["view"]
            before = {**refused(lab, 1), **filtered(lab, 1)}
            sent = forge(lab, how, 1, 5000)["sent"]
            after = {**refused(lab, 1), **filtered(lab, 1)}
            grown = {reason: count - before[reason] for reason, count in after.items()}
            grown = {reason: count for reason, count in grown.items() if count > 0}
            need(set(grown) & reasons, f"{sent} sent, counted: {grown}")
            need(set(grown) <= reasons | {"stale_incarnation", "replayed", "own_frame", *FILTERED},
                 f"{sent} sent, counted: {grown}")
            need(sum(grown.values()) >= sent * 0.9, f"{sent} sent, counted: {grown}")
            need(lab.query(1)["view"] == view, "the view changed")
            notes.append(f"{sent} sent, counted {grown}")


def busiest_thread(pid):
    """Seconds of processor time of the thread that used most of it."""
    ticks = []
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        fields = stat.read_text().rsplit(")", 1)[1].split()
        ticks.append(int(fields[11]) + int(fields[12]))
    return max(ticks) / os.sysconf("SC_CLK_TCK")


def longest_silence(lab, host, senders, until=60):
    """The greatest age of a member's last heartbeat that this host shows while the senders run, in ms."""
    longest, begin = 0, time.monotonic()
    while any(sender.poll() is None for sender in senders) and time.monotonic() - begin < until:
        longest = max([longest, *(member["last_heard_ms"] for member in lab.query(host)["members"])])
    return longest


def forge_together(lab, how, seconds):
    """Two senders, as fast as they can; frames a second in sum, and the longest silence that host 1 saw."""
    words = ["--how", how, "--seconds", str(seconds)]
    inside = [[lab.nlb_path, "lab", "exec", node, "--"] for node in ("client1", "gateway")]
    senders = [subprocess.Popen([*node, lab.nlb_path, "lab", "forge", *words], stdout=subprocess.PIPE,
                                text=True) for node in inside]
    silence = longest_silence(lab, 1, senders)
    return sum(json.loads(sender.communicate(timeout=60)[0])["per_second"] for sender in senders), silence


def flood(run):
    """As many forged frames as this machine carries; it takes two idle cores for 100,000 a second."""
    lab = run.lab
    lab.up()
    for how in FORGERIES if run.full else ("flip", "replay"):
        with run.case(f"forged without pause, 3 s, {how}: nobody is evicted") as notes:
            view = lab.query(1)["view"]
            before, began = busiest_thread(lab.daemons()[0]), time.monotonic()
            rate, silence = forge_together(lab, how, 3)
            used = (busiest_thread(lab.daemons()[0]) - before) / (time.monotonic() - began)
            members = [lab.members(host) for host in (1, 2, 3)]
            need(members == [[1, 2, 3]] * 3, f"members: {members}")
            need(lab.query(1)["view"] == view, f"view {view} -> {lab.query(1)['view']}")
            need_no_failure(lab.load(500))
            need(used < 0.9, f"a thread of nlbd used {100 * used:.0f} % of a processor")
            need(silence < 400, f"no heartbeat of a member was taken for {silence} ms; 500 evict")
            need(rate > (50_000 if run.full else 10_000), f"too slow to prove anything: {rate:.0f} a second")
            notes.append(f"{rate:.0f} frames a second, view {view} stands; busiest thread {100 * used:.0f} % "
                         f"of a processor, longest silence {silence} ms")
    with run.case("the log is limited: one line a reason and second"):
        log = Path(f"{lab.root}/host1/nlbd.log").read_text()
        lines = [line for line in log.splitlines() if "frames_refused" in line]
        need(0 < len(lines) < 100, f"{len(lines)} lines")


def storm(lab, host, how, seconds):
    """Two senders at that host's port of the switch, past all sockets: what a fast adapter would bring."""
    words = [lab.nlb_path, "lab", "exec", "switch", "--", lab.nlb_path, "lab", "forge", "--how", how,
             "--seconds", str(seconds), "--live", "--interface", f"h{host}", "--listen", "nlbsw0"]
    return [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]


def heard(lab, host):
    """Frames of the heartbeat's type that nlbd has read there."""
    return counters(lab, host)["heartbeat"]["received"]


def storms(run):
    """`random` is anybody's; `ahead` looks like a member's next heartbeat, all but the tag."""
    lab = run.lab
    lab.up()
    for how in ("random", "ahead"):
        with run.case(f"the port of host 1 is full of forged frames ({how}), and host 3 comes back meanwhile"
                      ) as notes:
            pid = lab.daemons()[0]
            used, began, read = busiest_thread(pid), time.monotonic(), heard(lab, 1)
            senders = storm(lab, 1, how, 3)
            silence = longest_silence(lab, 1, senders[:1], until=1.5)
            lab.lab("restart", "host3")
            lab.wait_members([1, 2, 3], 10)
            silence = max(silence, longest_silence(lab, 1, senders))
            took = time.monotonic() - began
            used = (busiest_thread(pid) - used) / took
            read = (heard(lab, 1) - read) / took
            rate = sum(json.loads(sender.communicate(timeout=60)[0])["per_second"] for sender in senders)
            need(lab.members(1) == [1, 2, 3] and lab.daemons()[0] == pid, f"members: {lab.members(1)}")
            need(silence < 400, f"no heartbeat of a member was taken for {silence} ms; 500 evict")
            need(rate > 100_000, f"too slow to prove anything: {rate:.0f} a second")
            need(read < 20_000, f"nlbd read {read:.0f} frames a second: they are not limited")
            need(used < 0.9, f"a thread of nlbd used {100 * used:.0f} % of a processor")
            need("heartbeat_excess" in lab.host(1, "--json", "events").stdout, "no event tells of it")
            notes.append(f"{rate:.0f} frames a second, {read:.0f} read; busiest thread {100 * used:.0f} % of "
                         f"a processor, longest silence {silence} ms")


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


def restart(lab, host):
    """Comes back as soon as the daemon answers: this one will not converge."""
    lab.lab("restart", f"host{host}", "--timeout", 0)
    wait_for(f"host {host} answers", lambda: lab.state(host) != "", 10)


def restart_with_another_key_file(lab, host, change):
    """The lab's hosts share one key file: this one gets its own, whose text change() makes."""
    shared = Path(f"{lab.root}/web.key")
    own = Path(f"{lab.root}/host{host}/own.key")
    own.write_text(change(shared.read_text()))
    own.chmod(0o600)
    os.chown(own, shared.stat().st_uid, -1)
    edit(lab, host, r'key_file *= *"[^"]*"', f'key_file = "{own}"')
    restart(lab, host)


def other_hex(word):
    """The same text with other digits behind `word`."""
    turned = str.maketrans("0123456789abcdef", "fedcba9876543210")
    return lambda text: re.sub(rf"(?m)^{word} (.*)$", lambda line: f"{word} {line[1].translate(turned)}",
                               text)


def named_on_both_sides(lab, item):
    wait_for("host 3 is refused", lambda: lab.state(3) == "refused", 10)
    shown = lab.host(3, "display").stdout
    need(item in shown, shown)
    lab.wait_members([1, 2])
    wait_for("the others name host 3", lambda: any(
        item in line and "host 3" in line for line in lab.host(1, "events").stdout.splitlines()), 5)
    need_no_failure(lab.load(300))


def other_at_start(run):
    """What cannot be changed by a reload: the host comes with it."""
    lab = run.lab
    with run.case("host 3 starts in another mode: refused, named on both sides, the others serve on"):
        lab.up()
        edit(lab, 3, r'mode *= *"unicast"', 'mode = "igmp"')  # speaks IP, and Ethernet to who needs it
        restart(lab, 3)
        named_on_both_sides(lab, "mode")
    with run.case("host 3 starts with another seed: refused, named on both sides, the others serve on"):
        lab.up()
        restart_with_another_key_file(lab, 3, other_hex("seed"))
        named_on_both_sides(lab, "seed")
    with run.case("host 3 starts with another key: counted and reported on both sides") as notes:
        lab.up()
        restart_with_another_key_file(lab, 3, other_hex("key"))
        lab.wait_members([1, 2])
        for host in (1, 3):
            wait_for(f"host {host} reports it", lambda h=host: "key" in lab.host(h, "events").stdout, 5)
            need(refused(lab, host)["unknown_key"] > 0, refused(lab, host))
            notes.append(next(line for line in lab.host(host, "events").stdout.splitlines() if "key" in line))


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
    for part in (forged, flood, storms, mismatched, other_at_start, bad_reload, duplicate_id):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
