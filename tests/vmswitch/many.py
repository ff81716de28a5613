#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two hundred machines on one bridge, each a tap that a process holds open: what an answer takes."""
import os
import time

from bridge import main, need, wait_for

FIRST, LAST, TRIES = 10, 209, 5
LIMIT_S = 1.0

PORT = """[[port]]
vm = "vm{0}"
interface = "tap{0}"
mac = "52:54:00:03:00:{0:02x}"
"""


def fastest(act):
    times = []
    for _ in range(TRIES):
        begin = time.monotonic()
        act()
        times.append(time.monotonic() - begin)
    return min(times)


def scenario(run):
    bridge = run.lab
    bridge.config.write_text(bridge.config.read_text() +
                             "".join(PORT.format(number) for number in range(FIRST, LAST + 1)))
    bridge.start()
    few = fastest(bridge.show)
    files = []
    for number in range(FIRST, LAST + 1):
        files.append(bridge.open_tap(number))
        bridge.join(f"tap{number}")
    with run.case("`show` of 200 running machines is quick, and right") as notes:
        wait_for("all are guarded", lambda: bridge.port(f"tap{LAST}")["state"] == "guarded", 10)
        many = fastest(bridge.show)
        ports = {port["interface"]: port for port in bridge.show()["switches"][0]["ports"]}
        need(all(ports[f"tap{number}"]["state"] == "guarded" for number in range(FIRST, LAST + 1)), "not all")
        need(all(ports[f"tap{number}"]["running_because"].startswith(f"process {os.getpid()} holds")
                 for number in range(FIRST, LAST + 1)), "not all run")
        need(many < LIMIT_S, f"{many:.2f} s; with 5 ports {few:.2f} s")
        notes.append(f"{many * 1000:.0f} ms; with 5 ports {few * 1000:.0f} ms")
    for file in files:
        os.close(file)


if __name__ == "__main__":
    main(scenario)
