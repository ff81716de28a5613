#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The story of NLB in virtual machines, with virtual machines: the same claims, three guests under QEMU.
With --full for both strategies."""
from live import main
from story import told


def scenario(run):
    run.lab.lab("down")
    told(run, "machines, replace", "--vm", "--mac-strategy", "replace")
    if run.full:
        told(run, "machines, auto", "--vm")


if __name__ == "__main__":
    main(scenario)
