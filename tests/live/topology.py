#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab by itself, without nlbd: wires, service, clients, faults.

Host 1 alone has the VIP, added by hand."""
import subprocess
from pathlib import Path

from capture import Capture, need_one_answer_each
from live import UDP, VIP, lab_networks, main, need, need_no_failure

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

    with run.case("wrong usage is refused in a sentence"):
        for words, exit_code in ((("up", "--mac-spoofing", "maybe"), 2), (("fault", "kill", "host9"), 2),
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
