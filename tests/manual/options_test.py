#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The options that each program's --help knows against the entries of its manual page, in both directions.
(The pages of nlb and of the files have more to be held to: manual_test.cc.)
Usage: options_test.py DIRECTORY_OF_PROGRAMS PROGRAM…
"""
import re
import subprocess
import sys
from pathlib import Path

MANUALS = Path(__file__).resolve().parents[2] / "man"
EVERYWHERE = {"help", "version"}  # what every program has, no page repeats


def known(program):
    done = subprocess.run([program, "--help"], stdout=subprocess.PIPE, text=True, check=True, timeout=20)
    return set(re.findall(r"^ +(?:-\w,)?--([a-z-]+)", done.stdout, re.M)) - EVERYWHERE


def documented(page):
    """Of ".It Fl -key Ar FILE , Fl -other"."""
    heads = re.findall(r"^\.It (Fl .*)$", page.read_text(encoding="utf-8"), re.M)
    return {name for head in heads for name in re.findall(r"Fl -([a-z-]+)", head)} - EVERYWHERE


def main():
    directory, complaints = Path(sys.argv[1]), []
    for name in sys.argv[2:]:
        pages = list(MANUALS.glob(f"{name}.[18]"))
        if len(pages) != 1:
            complaints.append(f"{name}: {len(pages)} manual pages")
            continue
        has, told = known(directory / name), documented(pages[0])
        if not has:
            complaints.append(f"{name}: --help shows no option")
        complaints += [f"{pages[0].name}: --{option} is not in it" for option in sorted(has - told)]
        complaints += [f"{pages[0].name}: --{option} is no option" for option in sorted(told - has)]
        print(f"{name}: {len(has)} options")
    print("\n".join(complaints))
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
