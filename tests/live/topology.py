#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab by itself, without nlbd: wires, service, clients, faults.

Host 1 alone has the VIP, added by hand."""
import subprocess
import sys
from pathlib import Path

from capture import Capture, need_one_answer_each
from live import UDP, VIP, lab_networks, main, need, need_no_failure

def reaches(lab, node, address):
    return lab.lab("exec", node, "--", "ping", "-c", 1, "-W", 1, "-q", address, check=False).returncode == 0


def one_way_and_split(run):
    lab = run.lab
    for direction, crossing in (("out", 0), ("in", 2)):
        with run.case(f"all is lost that a client has going {direction}: the wire shows it"):
            lab.lab("fault", "loss", "client1", 100, direction)
            with Capture(lab, "icmp") as capture:
                need(not reaches(lab, "client1", "10.77.0.12"), "the ping was answered")
            lab.lab("fault", "heal", "client1")
            seen = len(list(capture.ips()))
            need(seen == crossing, f"{seen} ICMP packets crossed the switch, wanted {crossing}")
            need(reaches(lab, "client1", "10.77.0.12"), "not healed")
    with run.case("a split parts its groups, and nobody else"):
        lab.lab("fault", "split", "host1,client1", "host2,client2")
        for node, address, wanted in (("client1", "10.77.0.11", True), ("client1", "10.77.0.12", False),
                                      ("client2", "10.77.0.12", True), ("client2", "10.77.0.11", False),
                                      ("client1", "10.77.0.13", True), ("client2", "10.77.0.1", True)):
            need(reaches(lab, node, address) == wanted, f"{node} to {address}: not {wanted}")
        lab.lab("fault", "heal", "switch")
        need(reaches(lab, "client1", "10.77.0.12"), "not healed")


SPEAK = r"""
import socket, time
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
for number in range(10):
    wire.send(b"\x03\xbf\x0a\x4d\x00\x64" + wire.getsockname()[4] + b"\x88\xb5" + bytes([number]) + bytes(60))
    print(time.monotonic(), flush=True)
    time.sleep(0.02)
"""
LISTEN = """
import socket, time
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
wire.settimeout(0.5)
print("ready", flush=True)
try:
    while True:
        frame = wire.recv(2000)
        print(frame[14], time.monotonic(), flush=True)
except TimeoutError:
    pass
"""


def heard(lab, speaker, listener):
    """(number, how late in ms) of each of ten frames of the heartbeats' kind, in the order of arrival."""
    def start(node, text):
        words = [lab.nlb_path, "lab", "exec", node, "--", sys.executable, "-c", text]
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    ears = start(listener, LISTEN)
    ears.stdout.readline()
    said = [float(line) for line in start(speaker, SPEAK).communicate(timeout=20)[0].split()]
    lines = [line.split() for line in ears.communicate(timeout=20)[0].splitlines()]
    return [(int(number), 1000 * (float(when) - said[int(number)])) for number, when in lines]


def late_heartbeats(run):
    lab = run.lab
    with run.case("heartbeats of a host, and for it, come late, in disorder, twice") as notes:
        for speaker, listener in (("host1", "host2"), ("host2", "host1")):
            lab.lab("fault", "delay", "host1", 150)
            late = heard(lab, speaker, listener)
            need([number for number, _ in late] == list(range(10)), f"delay: {late}")
            need(all(140 < ms < 250 for _, ms in late), f"delay: {late}")
            lab.lab("fault", "reorder", "host1", 300)
            late = heard(lab, speaker, listener)
            order = [number for number, _ in late]
            need(sorted(order) == list(range(10)) and order != sorted(order), f"reorder: {late}")
            lab.lab("fault", "duplicate", "host1", 150)
            late = heard(lab, speaker, listener)
            soon, again = [n for n, ms in late if ms < 100], [n for n, ms in late if 140 < ms < 250]
            need(soon == again == list(range(10)) and len(late) == 20, f"duplicate: {late}")
            lab.lab("fault", "heal", "host1")
            late = heard(lab, speaker, listener)
            need(len(late) == 10 and all(ms < 100 for _, ms in late), f"healed: {late}")
        notes.append("both ways")


def scenario(run):
    lab = run.lab
    lab.up("--stand-in", "--clients", 2, "--client-addresses", 300)

    with run.case("every node reaches every other"):
        for node in ("host1", "host3", "client2", "gateway"):
            for address in ("10.77.0.1", "10.77.0.12", "10.77.0.201"):
                lab.lab("exec", node, "--", "ping", "-c", 1, "-W", 2, "-q", address)

    with run.case("nothing is made in the root namespace"):
        shown = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        need("nlbsw0" not in shown and "h1@" not in shown, shown)

    with run.case("TCP from 300 addresses: all answered, the capture agrees") as notes:
        with Capture(lab, f"tcp and host {VIP}") as capture:
            figures = lab.load(1000, "--source", "all", "--by-source")
        need_no_failure(figures)
        need(len(figures["by_source"]) == 300, f"{len(figures['by_source'])} sources were used")
        notes.append(need_one_answer_each(capture, VIP, 80))

    with run.case("UDP answers come from the address that was asked"):
        need_no_failure(lab.load(500, "--udp", to=UDP))

    with run.case("streams arrive byte for byte") as notes:
        figures = lab.finish(lab.start_streams(20, 2))
        need(figures["ok"] == 20 and figures["wrong_bytes"] == 0, figures)
        notes.append(f"longest stall {figures['longest_stall_ms']:.0f} ms")

    with run.case("a cut of 300 ms is measured as one") as notes:
        heal = f"{lab.nlb_path} lab fault heal host1 >/dev/null"
        figures = lab.gap(f"lab fault cut host1 && sleep 0.3 && {heal}", seconds=3, fault_at_ms=800)
        notes.append(f"gap {figures['gap_ms']:.0f} ms")
        # The host lost its neighbours with the carrier; when its first ARP request is lost, it waits 1 s.
        need(290 < figures["gap_ms"] < 1600, figures)
        need(figures["failed_before"] == 0 and figures["ended"], figures)

    with run.case("a host that died as a whole is silent, and boots again"):
        lab.lab("fault", "kill", "host1", "host")
        need(lab.load(5, "--limit-ms", 200)["failed"] == 5, "somebody answered")
        need("dead" in lab.lab("status").stdout, "status does not say so")
        lab.lab("start", "host1")
        need_no_failure(lab.load(100))

    with run.case("lost frames are lost, and healed") as notes:
        lab.lab("fault", "loss", "host1", 30)
        figures = lab.load(300, "--limit-ms", 150)
        notes.append(f"{figures['failed']} of 300 failed at 30 %")
        need(figures["failed"] > 20, figures)
        lab.lab("fault", "heal", "host1")
        need_no_failure(lab.load(300))

    one_way_and_split(run)
    late_heartbeats(run)

    with run.case("wrong usage is refused in a sentence"):
        for words, exit_code in ((("fault", "loss", "host1", "5", "up"), 2), (("fault", "split", "host1"), 2),
                                 (("fault", "delay", "client1", "5"), 1), (("fault", "cut", "switch"), 2),
                                 (("fault", "burst", "host1", "soon"), 2),
                                 (("up", "--mac-spoofing", "maybe"), 2), (("fault", "kill", "host9"), 2),
                                 (("fault", "break", "host1"), 2), (("up",), 1)):
            done = lab.lab(*words, check=False)
            need(done.returncode == exit_code and done.stderr.strip(), f"{words}: {done}")

    with run.case("down leaves nothing and may be said twice"):
        lab.down()
        lab.down()
        need(not lab_networks(), f"namespaces are left: {lab_networks()}")
        need(not Path(lab.root).exists(), f"{lab.root} is left")

if __name__ == "__main__":
    main(scenario)
