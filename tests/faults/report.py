#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/results/faults.md from the records of the fault lab: report.py [DIRECTORY] [FILE].

What it shows is kept beside it, a line a repeat (faults.jsonl): records of many machines and days add up."""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))
# pylint: disable=wrong-import-position
import table  # noqa: E402
from record import Record, judged_of, summary, violated  # noqa: E402

HEAD = """# The fault lab: results

Written by `make fault-report` from the records of `make faults`, which [faults.jsonl](faults.jsonl) keeps,
a line a repeat; how it is measured: `docs/lab.md`.
Service gap in ms: from the fault to the first attempt after which none fails, with an attempt every 5 ms. A
violation is a repeat with a figure beyond its bound, or after which the cluster was not whole. A repeat is
void, whatever came of it, if a process that only sleeps beside it was late by more than 100 ms: the machine
was busy (scenarios that load it on purpose have none; samples before 28 November do not say; at 123d2a3 it
was a thread of the lab's own process, which is late more easily: 24 of the void ones). Before samples were
kept (commit 518dde3) each of 33 scenarios was repeated 22 times, none with a violation. Samples of three
scenarios whose outcome was defined anew are left out: two of `unheard-start` (the host served beside the
others), two of `restart` (868 ms from the command's beginning, which takes most of that) and four of
`join-storm` (2,402 ms from the first host's first view, most of it the machine that boots 16 of them; once 13
views where 8 were allowed: the machine took 3.9 s to boot them, so most came alone, and who comes alone is
admitted at once).

| # | scenario | fault | required | repeats | violations | void | gap p50 | p99 | max | views max |
|---|---|---|---|---|---|---|---|---|---|---|
"""

ALL = [*table.SCENARIOS, *table.GUESTS]


def cell(figures, name, which):
    return f"{figures[name][which]:.0f}" if name in figures else "-"


def row(scenario, every):
    samples = judged_of(every)
    figures = summary(samples)
    # Where frames are lost at random, the last one that was is no gap.
    gap = "gap_ms" if "gap_ms" in scenario.at_most else "none"
    gaps = [cell(figures, gap, which) for which in ("p50", "p99", "max")]
    cells = [scenario.number, scenario.name, scenario.fault, scenario.outcome, str(len(samples)),
             str(violated(samples)) if samples else "-", str(len(every) - len(samples)), *gaps,
             cell(figures, "views", "max")]
    return f"| {' | '.join(cells)} |\n"


def bounds(scenario, samples):
    """Every bounded figure: what it may be, what it was."""
    figures, lines = summary(judged_of(samples)), []
    for name, bound in scenario.at_most.items():
        lines.append(f"{name} ≤ {bound:g} ({cell(figures, name, 'max')})")
    for name, bound in scenario.at_least.items():
        lines.append(f"{name} ≥ {bound:g} ({cell(figures, name, 'min')})")
    return f"| {scenario.name} | {', '.join(lines)} |\n"


def seen_violations(records):
    lines = []
    for name, samples in records.items():
        for sample in samples:
            text = "; ".join(sample["violations"]).splitlines()
            if text:
                late = f" (void: the machine was {sample['machine_late_ms']:.0f} ms late)"
                void = late if sample.get("void") else ""
                lines.append(f"- {name} at {sample['commit']}{void}: {text[0]}\n")
    return lines or ["None.\n"]


def kept(scenario, sample):
    """What is published of a sample: the figures that have a bound, and the views."""
    names = {*scenario.at_most, *scenario.at_least, "views"} & set(sample["figures"])
    figures = {name: round(sample["figures"][name], 1) for name in sorted(names)}
    return {"scenario": scenario.name, "at_ms": sample["at_ms"], "commit": sample["commit"],
            "figures": figures, "violations": sample["violations"], "void": sample.get("void", False),
            "machine_late_ms": round(sample["machine_late_ms"], 1) if "machine_late_ms" in sample else None}


def merged(published, directory):
    """Samples published and samples on record there, each once, in the order of the scenarios and of time."""
    known = [json.loads(line) for line in published.read_text().splitlines()] if published.exists() else []
    seen = {(sample["scenario"], sample["at_ms"]) for sample in known}
    for scenario in ALL:
        known += [kept(scenario, sample) for sample in Record(directory, scenario.name).samples
                  if (scenario.name, sample["at_ms"]) not in seen]
    order = {scenario.name: at for at, scenario in enumerate(ALL)}
    return sorted(known, key=lambda sample: (order.get(sample["scenario"], len(order)), sample["scenario"],
                                             sample["at_ms"]))  # those of former scenarios are kept, last


def report(samples):
    records = {scenario.name: [sample for sample in samples if sample["scenario"] == scenario.name]
               for scenario in ALL}
    text = HEAD + "".join(row(scenario, records[scenario.name]) for scenario in ALL)
    text += "\n## Every bound, and in brackets the worst that was seen\n\n| scenario | bounds |\n|---|---|\n"
    text += "".join(bounds(scenario, records[scenario.name]) for scenario in ALL)
    violations = "".join(seen_violations(records))
    text += "\n## Violations\n\n" + violations
    known = [f"- {name}: {why}.\n" for name, why in table.EXPLAINED.items() if f"- {name} at " in violations]
    text += "".join(["\nWhat is known of them:\n\n", *known] if known else [])
    text += "\n## Requirements that are known not to be met\n\n"
    text += "".join(f"- {name}: {why}.\n" for name, why in table.KNOWN.items()) or "None.\n"
    text += "\n## Faults that other tests play\n\n| # | fault | test |\n|---|---|---|\n"
    text += "".join(f"| {one.number} | {one.fault} | {one.test} |\n" for one in table.COVERED)
    text += "\n## Faults that nothing plays on a kernel yet\n\n| # | fault | why |\n|---|---|---|\n"
    text += "".join(f"| {number} | {fault} | {why} |\n" for number, fault, why in table.ABSENT)
    commits = sorted({sample["commit"] for sample in samples})
    return text + f"\nCommits measured: {', '.join(commits) or 'none'}.\n"


if __name__ == "__main__":
    source = sys.argv[1] if len(sys.argv) > 1 else "build/faults"
    target = Path(sys.argv[2] if len(sys.argv) > 2 else "docs/results/faults.md")
    target.parent.mkdir(parents=True, exist_ok=True)
    published = target.with_suffix(".jsonl")
    repeats = merged(published, source)
    published.write_text("".join(json.dumps(sample) + "\n" for sample in repeats))
    target.write_text(report(repeats))
    print(f"{target} written")
