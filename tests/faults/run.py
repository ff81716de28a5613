#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays scenarios of the fault lab, in turn, until each has its repeats or the time is over.

A repeat leaves the cluster whole, and that is verified; where it is not, that is a violation and the lab is
built anew. Exit 1 when a repeat of this run had one."""
import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))
# pylint: disable=wrong-import-position
import table  # noqa: E402
from bystander import ROUNDS, Bystander  # noqa: E402
from live import SKIPPED, Failure, Lab, Run, commit_id, need, print_logs  # noqa: E402
from record import Record, is_figure, judged_of  # noqa: E402
from stage import Stage  # noqa: E402


class Player:
    """One lab serves many repeats."""

    def __init__(self, lab, commit, directory):
        self.lab, self.commit, self.directory = lab, commit, directory
        self.setup = None

    def prepare(self, setup):
        if self.setup == setup:
            return
        self.setup = None
        self.lab.up(*setup.words, hosts=setup.hosts)
        self.setup = setup

    def play(self, scenario):
        """One repeat, as it goes on record."""
        figures, machine = {}, Bystander()
        try:
            self.prepare(scenario.setup)
            with machine:
                figures = scenario.play(Stage(self.lab))
            violations = scenario.violations(figures)
            if violations:
                print_logs(self.lab)
        except (Failure, OSError, subprocess.SubprocessError) as problem:
            violations = [f"{type(problem).__name__}: {problem}"[:600]]
            print_logs(self.lab)
            self.setup = None
        late_ms = 1000 * machine.worst_s
        return Record(self.directory, scenario.name).add(self.commit, figures, violations, late_ms,
                                                         scenario.is_void(late_ms))

    def judge(self, scenario, good_is_enough):
        """The first repeat beside which the machine was not late, or the last of some. `good_is_enough` where
        nothing is counted: what holds beside a machine that is late, holds."""
        for _ in range(ROUNDS):
            sample = self.play(scenario)
            if not sample["void"] or (good_is_enough and not sample["violations"]):
                break
        return sample


def chosen(options):
    if options.only:
        return [table.by_name(name) for name in options.only]
    if options.vm:
        return table.GUESTS
    return [scenario for scenario in table.SCENARIOS if not options.subset or scenario.in_ci]


def show_list():
    for scenario in [*table.SCENARIOS, *table.GUESTS]:
        mark = "ci" if scenario.in_ci else "vm" if scenario in table.GUESTS else ""
        print(f"{scenario.number:>3} {scenario.name:<16} {mark:<3} {scenario.fault}: {scenario.outcome}")
    for covered in table.COVERED:
        print(f"{covered.number:>3} {'':<16} {'':<3} {covered.fault}: {covered.test}")


def words_of(sample):
    figures = {**sample["figures"], "machine_late_ms": sample["machine_late_ms"]}
    return ", ".join(f"{name} {value:g}" for name, value in figures.items() if is_figure(value))


def lateness_of(sample):
    late_ms = sample["machine_late_ms"]
    return [f"the machine itself was late in each of {ROUNDS} repeats, {late_ms:.0f} ms in the last"
            ] if sample["void"] else []


def rounds(options, run, player):
    """Round-robin, scenarios of one lab side by side; as many rounds as there may be repeats."""
    scenarios = sorted(chosen(options), key=lambda scenario: (scenario.setup.hosts, scenario.setup.words))
    end = time.monotonic() + options.seconds if options.seconds else None
    for _ in range(options.repeats):
        for scenario in scenarios:
            judged = judged_of(Record(player.directory, scenario.name).samples)
            if len(judged) >= options.repeats or (end and time.monotonic() > end):
                continue
            with run.case(f"{scenario.number} {scenario.name}: {scenario.outcome}") as notes:
                sample = player.judge(scenario, options.subset)
                notes.append(words_of(sample))
                need(not sample["violations"], "; ".join(sample["violations"] + lateness_of(sample)))
                need(options.subset or not sample["void"], "; ".join(lateness_of(sample)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nlb", default="build/bin/nlb", help="the nlb program; nlbd lies beside it")
    parser.add_argument("--name", default="faults")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these scenarios")
    parser.add_argument("--subset", choices=["ci"], help="what other live tests do not show, in two minutes")
    parser.add_argument("--vm", action="store_true", help="the scenarios whose hosts are virtual machines")
    parser.add_argument("--repeats", type=int, default=100, help="of each scenario, those on record included")
    parser.add_argument("--seconds", type=float, help="no repeat begins after that")
    parser.add_argument("--directory", default="build/faults", help="where the records are")
    parser.add_argument("--fresh", action="store_true", help="forget what is on record there")
    parser.add_argument("--commit", help="what is measured, where the tree cannot tell; default: git's word")
    parser.add_argument("--list", action="store_true", help="what there is")
    options = parser.parse_args()
    if options.list:
        show_list()
        return 0
    if os.geteuid() != 0:
        print("skipped: network namespaces need root")
        return SKIPPED
    if options.fresh:
        for path in Path(options.directory).glob("*.json"):
            path.unlink()
    lab = Lab(options.nlb)
    run = Run(options.name, lab, False)
    try:
        rounds(options, run, Player(lab, options.commit or commit_id(), options.directory))
    except KeyboardInterrupt:
        print("interrupted; the records are kept, the next run goes on")
    finally:
        run.write()
        lab.lab("down", check=False)
    failed = sum(failure is not None for _, _, failure in run.results)
    print(f"{len(run.results) - failed} of {len(run.results)} repeats as required")
    return 1 if failed or not run.results else 0


if __name__ == "__main__":
    sys.exit(main())
