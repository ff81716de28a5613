#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""keep-flow: established connections outlive whatever the cluster plans.

Every byte of every stream is checked."""
import os
import time
from pathlib import Path

from live import main, need, need_no_failure, shares, wait_for

COUNT = 60
SECONDS = 8
STALL_MS = 600  # the service sends every 50 ms; a lost segment's retransmission fits in


def wait_state(lab, host, state, seconds):
    return wait_for(f"host {host} is {state}", lambda: lab.state(host) == state, seconds)


def while_streaming(run, title, action, afterwards=None, count=COUNT, seconds=SECONDS):
    """Streams run; after a second `action(notes)` happens; none may notice."""
    lab = run.lab
    with run.case(title) as notes:
        process = lab.start_streams(count, seconds)
        try:
            time.sleep(1)
            action(notes)
        finally:
            figures = lab.finish(process)
        notes.append(f"{figures['ok']} of {count} streams whole")
        notes.append(f"longest stall {figures['longest_stall_ms']:.0f} ms")
        need(figures["resets"] == 0, f"{figures['resets']} streams were reset: {figures}")
        need(figures["ok"] == count and figures["wrong_bytes"] == 0, figures)
        need(figures["longest_stall_ms"] < STALL_MS, f"a stream stood still: {figures}")
        if afterwards:
            afterwards(notes)


def moves(run):
    """Drain, join, weights."""
    lab = run.lab

    def drain(notes):
        lab.host(3, "drainstop")
        wait_state(lab, 3, "draining", 1)
        lab.wait_members([1, 2])
        figures = lab.load(600)
        need_no_failure(figures)
        need(3 not in shares(figures), f"the draining host takes new connections: {figures}")

    def drained(notes):
        wait_state(lab, 3, "stopped", 15)

    while_streaming(run, "host 3 is drained: its streams end in peace, new ones go elsewhere", drain, drained)

    def join(notes):
        lab.host(3, "start")
        notes.append(f"joined within {lab.wait_members([1, 2, 3]):.1f} s")
        figures = lab.load(900)
        need_no_failure(figures)
        need(shares(figures).get(3, 0) > 20, f"the joiner serves too little: {figures}")

    while_streaming(run, "host 3 joins under load", join)

    def weight(notes):
        lab.set_weight(2, 10)
        time.sleep(1)
        lab.wait_members([1, 2, 3])
        figures = lab.load(2000)
        need_no_failure(figures)
        notes.append(f"host 2 gets {shares(figures).get(2, 0):.1f} % (10 of 110)")
        need(4 < shares(figures).get(2, 0) < 15, figures)

    while_streaming(run, "the weight of host 2 changes", weight)


def daemons(run):
    """A daemon restarts, crashes, stands still."""
    lab = run.lab

    def restart(notes):
        begin = time.monotonic()
        lab.lab("restart", "host2")
        notes.append(f"restarted within {time.monotonic() - begin:.1f} s")
        need_no_failure(lab.load(300))

    while_streaming(run, "nlbd of host 2 is restarted as planned", restart)

    def kill(notes):
        lab.lab("fault", "kill", "host1")
        time.sleep(1)
        lab.lab("start", "host1")
        lab.wait_members([1, 2, 3])
        need_no_failure(lab.load(300))

    while_streaming(run, "nlbd of host 1 crashes and comes back: its connections go on", kill)

    def pause(notes):
        lab.lab("fault", "pause", "host2")
        time.sleep(2)
        lab.lab("fault", "resume", "host2")
        lab.wait_members([1, 2, 3])
        need_no_failure(lab.load(300))

    while_streaming(run, "nlbd of host 2 stands still for 2 s", pause)

    if run.full:
        def rolling(notes):
            for host in (1, 2, 3):
                lab.lab("restart", f"host{host}")
        for turn in range(5):
            while_streaming(run, f"rolling restart {turn + 1}", rolling)


def rotate_key(lab, hosts):
    lab.command("key", "rotate", f"{lab.root}/web.key")  # the lab's hosts share one file
    for host in hosts:
        lab.host(host, "reload")
        time.sleep(1)  # longer than a silence that evicts: a host that signs too early would be gone


def restart_as(lab, host, program):
    """A planned restart of a host's daemon as `nlbd` or as `nlbd_next`.

    The latter is a build with the next minor version of the wire and another layout of the maps."""
    os.environ.pop("NLB_LAB_NLBD", None)
    if program != "nlbd":
        os.environ["NLB_LAB_NLBD"] = str(Path(lab.nlb_path).parent.parent / "tests" / program)
    lab.lab("restart", f"host{host}")
    os.environ.pop("NLB_LAB_NLBD", None)


def everything(run):
    """300 streams of 40 s, and all that an administrator does to a cluster, one thing after the other.

    max_hold_s = 5 bounds extended affinity alone: no stream ends by it."""
    lab = run.lab
    lab.up("--client-addresses", 4, hosts=4)
    for host in (1, 2, 3, 4):
        path = Path(f"{lab.root}/host{host}/web.toml")
        path.write_text(path.read_text().replace("[host]", "max_hold_s = 5\n\n[host]", 1))
        need("max_hold_s = 5" in path.read_text(), path.read_text())
        lab.host(host, "reload")
    lab.lab("fault", "kill", "host4", "host")
    lab.wait_members([1, 2, 3])

    def all_of_it(notes):
        begin = time.monotonic()
        done = lambda what: notes.append(f"{what} at {time.monotonic() - begin:.0f} s")
        lab.lab("start", "host4")
        lab.wait_members([1, 2, 3, 4])
        done("host 4 has joined")
        lab.set_weight(2, 20)
        lab.wait_members([1, 2, 3, 4])
        done("host 2 weighs less")
        lab.host(3, "drainstop")
        lab.wait_members([1, 2, 4], draining=[3])
        done("host 3 drains")
        rotate_key(lab, (1, 2, 3, 4))
        done("the key is rotated")
        lab.lab("restart", "host2")
        lab.wait_members([1, 2, 4], draining=[3])
        done("nlbd of host 2 was restarted")
        for program in ("nlbd_next", "nlbd"):
            restart_as(lab, 1, program)
            lab.wait_members([1, 2, 4], draining=[3])
        done("nlbd of host 1 was upgraded and put back")
        need_no_failure(lab.load(600))
        need(lab.state(3) == "draining", f"host 3 is {lab.state(3)}: its streams still run")

    def drained(notes):
        wait_state(lab, 3, "stopped", 15)

    while_streaming(run, "300 streams of 40 s: a join, weights, a drain, a new key, a restart, an upgrade",
                    all_of_it, drained, count=300, seconds=40)


def secrets(run):
    """A new key, a new version."""
    lab = run.lab

    def rotate(notes):
        before = lab.query(1)["view"]
        rotate_key(lab, (2, 3, 1))
        need(lab.query(1)["view"] == before, "the view changed")
        notes.append(f"view {before} stands")

    while_streaming(run, "the key is rotated host by host, a second apart: no view changes", rotate)

    def upgrade(notes):
        """To a daemon with the next minor version of the wire and another layout of the maps, and back."""
        for program in ("nlbd_next", "nlbd"):
            for host in (1, 2, 3):
                restart_as(lab, host, program)
                lab.wait_members([1, 2, 3])
            running = {Path(f"/proc/{pid}/exe").resolve().name for pid in lab.daemons()}
            need(running == {program}, f"these run: {running}")
            need_no_failure(lab.load(300))
            notes.append(f"{running.pop()}: all three")

    while_streaming(run, "all hosts are upgraded, wire and maps, and back", upgrade)


def cookies(run):
    lab = run.lab

    def force(notes):
        for host in (1, 2, 3):
            lab.lab("exec", f"host{host}", "--", "sysctl", "-qw", "net.ipv4.tcp_syncookies=2")
        lab.host(3, "drainstop")
        lab.wait_members([1, 2], draining=[3])
        need_no_failure(lab.load(500))  # buckets are held by the draining host: cookies decide
        need(lab.state(3) == "draining", "nothing is held any more")
        lab.host(3, "start")
        lab.wait_members([1, 2, 3])
        need_no_failure(lab.load(500))

    while_streaming(run, "SYN cookies forced on while buckets are held: no new connection hangs", force)


def scenario(run):
    everything(run)
    run.lab.up("--client-addresses", 4)
    daemons(run)
    if run.full:  # one by one what everything() does in a row
        moves(run)
        secrets(run)
    cookies(run)


if __name__ == "__main__":
    main(scenario)
