#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs many seeds of nlb-sim on all processors, and adds up what the runs report.

Seeds run in pieces, each of which leaves FIRST.md (its report) and FIRST.log in the directory; a run that
was interrupted goes on where it was, unless the program or the options are others. The sum is printed, as
Markdown. Exit 1 when a piece had a violation: its log has the command that replays it."""
import argparse
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# What the rows of a report add up to. A row that is not here is an error, so that none is summed wrongly.
SUM = ("seeds", "violations", "frames sent, judged", "frames damaged and refused, made up or replayed",
       "connections, segments", "SYNs that nobody answered at once",
       "views acquired, members evicted (counted at each host)",
       "daemons that went on in the view of the one before",
       "ports fenced, notices of that believed", "resets of another's connection that nobody could know of",
       "times that a flapping host was held down when faults ended")
MOST = ("most frames that one host sent in a second", "longest time to settle",
        "longest window after a frozen clock")
HOURS, SPEED = "simulated time", "speed"


def numbers(text):
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]


def tables_of(text):
    """The tables of a report: a list of rows each, without the heading."""
    blocks = [block.splitlines() for block in text.strip().split("\n\n") if block.startswith("|")]
    return [[[cell.strip() for cell in line.strip("|").split("|")] for line in block[2:]] for block in blocks]


def added(rows, simulated_s):
    """One row of the first table, of all pieces."""
    what, values = rows[0][0], [numbers(row[1]) for row in rows]
    if what in SUM:
        return ", ".join(f"{sum(column):.0f}" for column in zip(*values))
    if what in MOST:
        return max((row[1] for row in rows), key=lambda cell: numbers(cell)[0])
    if what == HOURS:
        return f"{simulated_s / 3600:.1f} h"
    if what == SPEED:
        core_s = sum(value[1] for value in values)
        return f"{simulated_s / core_s:.0f} times real time, {core_s:.1f} s of one core"
    raise ValueError(f"the report has a row that is not known here: {what}")


def simulated_s_of(log):
    """What the last line of a run says exactly; its report rounds."""
    return int(re.search(r"(\d+) simulated seconds\s*$", log)[1])


def sum_of(reports):
    """The pieces whose reports these files are as one report, Markdown."""
    pieces = [tables_of(report.read_text()) for report in reports]
    simulated_s = sum(simulated_s_of(report.with_suffix(".log").read_text()) for report in reports)
    first = [{row[0]: row for row in piece[0]} for piece in pieces]
    names = dict.fromkeys(name for rows in first for name in rows)
    lines = ["| what | how much |", "|---|---|"]
    for name in names:
        lines.append(f"| {name} | {added([rows[name] for rows in first if name in rows], simulated_s)} |")
    lines += ["", "| fault | met | what happens |", "|---|---|---|"]
    for rows in zip(*(piece[1] for piece in pieces)):
        if len({row[0] for row in rows}) != 1:
            raise ValueError("the reports are of different programs: they do not list the same faults")
        lines.append(f"| {rows[0][0]} | {sum(int(row[1]) for row in rows)} | {rows[0][2]} |")
    hosts = {}
    for row in (row for piece in pieces for row in piece[2]):
        hosts[int(row[0])] = hosts.get(int(row[0]), 0) + int(row[1])
    lines += ["", "| hosts | seeds |", "|---|---|", *(f"| {n} | {hosts[n]} |" for n in sorted(hosts))]
    return "\n".join(lines)


def stands(report, command, program):
    """Whether that report is there, of a piece that ended, of these seeds and options, of this program."""
    return (report.exists() and report.read_text().startswith(command)
            and report.stat().st_mtime > Path(program).stat().st_mtime)


def run_piece(first, last, options):
    """True when it had no violation."""
    report = options.directory / f"{first:05}.md"
    words = ["--seeds", f"{first}-{last}", *options.options, "--report"]
    if not stands(report, f"`nlb-sim {' '.join(words)} ", options.nlb_sim):
        beside = report.with_suffix(".new")
        with report.with_suffix(".log").open("w", encoding="utf-8") as log:
            ended = subprocess.run([options.nlb_sim, *words, beside], stdout=log, stderr=log, check=False)
        if ended.returncode > 1 or not beside.exists():
            raise RuntimeError(f"seeds {first}-{last} did not run: {report.with_suffix('.log').read_text()}")
        os.replace(beside, report)
    return numbers(dict(row[:2] for row in tables_of(report.read_text())[0])["violations"]) == [0]


def seeds(text):
    match = re.fullmatch(r"(\d+)-(\d+)", text)
    if not match or not 0 < int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"'{text}' is not FIRST-LAST, as in 1-10000")
    return int(match[1]), int(match[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=seeds, metavar="FIRST-LAST")
    parser.add_argument("--options", type=shlex.split, default="--minutes 10 --no-shrink", metavar="WORDS",
                        help="for nlb-sim (default: %(default)s)")
    parser.add_argument("--nlb-sim", default="build/bin/nlb-sim", metavar="FILE")
    parser.add_argument("--directory", type=Path, default=Path("build/seeds"), help="where the pieces are")
    parser.add_argument("--piece", type=int, default=50, metavar="SEEDS")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    first, last = options.seeds
    begins = range(first, last + 1, options.piece)
    pieces = [(begin, min(begin + options.piece - 1, last)) for begin in begins]
    with ThreadPoolExecutor(options.jobs) as jobs:
        clean = list(jobs.map(lambda piece: run_piece(*piece, options), pieces))
    print(sum_of([options.directory / f"{begin:05}.md" for begin in begins]))
    for begin, good in zip(begins, clean):
        if not good:
            print(f"violation: {options.directory / f'{begin:05}.log'}", file=sys.stderr)
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
