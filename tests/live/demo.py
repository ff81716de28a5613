#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration runs to its end, and mac-truth holds over the whole of it, from the lab's first frame.

The switch's table is read all the while: it never learns the cluster MAC."""
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from capture import SWITCH, Capture, need_mac_truth
from live import CLUSTER_MAC, VIP, main, need, processes, wait_for

PROGRAM = Path(__file__).resolve().parents[2] / "tools/demo.py"


class SwitchTable(threading.Thread):
    """Reads the bridge's table again and again; keeps the entries for the cluster MAC."""

    def __init__(self):
        super().__init__(daemon=True)
        self.reads, self.learned, self.over = 0, set(), False

    def run(self):
        while not self.over:
            words = ["bridge", "-n", SWITCH, "fdb", "show", "br", "nlbsw0"]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            self.reads += done.returncode == 0
            self.learned |= {line for line in done.stdout.splitlines() if line.startswith("02:bf:")}
            time.sleep(0.05)


def switch_is_there():
    words = ["ip", "-n", SWITCH, "link", "show", "nlbsw0"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def scenario(run):
    lab = run.lab
    lab.down()
    table = SwitchTable()
    with run.case("the demonstration runs to its end") as notes:
        begin = time.monotonic()
        demo = subprocess.Popen([sys.executable, PROGRAM, lab.nlb_path], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
        wait_for("the lab's switch", switch_is_there, 30)
        table.start()
        wanted = f"arp or host {VIP} or ether src {CLUSTER_MAC['unicast']}"
        with Capture(lab, wanted, in_lab=False) as capture:
            out, err = demo.communicate(timeout=180)
        table.over = True
        need(demo.returncode == 0, out + err)
        notes.append(f"{len(out.splitlines())} lines in {time.monotonic() - begin:.0f} s")
    with run.case("it leaves the web console up, with its token in a file, and `lab down` ends it"):
        address = re.search(r"http://127\.0\.0\.1:\d+/", out)
        need(address, out)
        page = subprocess.run(["curl", "-sf", address.group()], capture_output=True, text=True, check=False)
        need(page.returncode == 0 and "OpenNLB console" in page.stdout, f"{page}")
        token = Path(re.search(r"token is in (\S+)", out).group(1)).read_text().strip()
        of_console = lambda words: words[0].endswith("nlb-console") and lab.root in words
        (words,) = processes(of_console).values()
        need(token not in " ".join(words), "the token is on a command line")
        lab.down()
        need(not processes(of_console), "the console is left")
    with run.case("a capture over the whole of it proves mac-truth") as notes:
        notes.append(need_mac_truth(capture, VIP, CLUSTER_MAC["unicast"]))
        need(any(arp.sender_ip == VIP for arp in capture.arps()), "nobody answered ARP for the VIP")
    with run.case("the switch never learned the cluster MAC") as notes:
        need(table.reads > 20, f"the table was read {table.reads} times")
        need(not table.learned, table.learned)
        notes.append(f"read {table.reads} times")


if __name__ == "__main__":
    main(scenario)
