# SPDX-License-Identifier: Apache-2.0
"""What the repeats of a scenario gave: one JSON file each, samples kept, written after every repeat.

A run that was interrupted goes on where it was; samples of another commit stay beside the new ones, each with
its commit. Those that are void are kept, too, and counted apart."""
import json
import math
import os
import time
from pathlib import Path


def is_figure(value):
    return isinstance(value, (int, float))  # beside them stand notes: who served, causes of views


def percentile(values, percent):
    """The nearest rank: a value that was measured."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def summary(samples):
    """{figure: {p50, p99, max, min}} of all samples that have it."""
    figures = {}
    for sample in samples:
        for name, value in sample["figures"].items():
            if is_figure(value):
                figures.setdefault(name, []).append(value)
    return {name: {"p50": percentile(values, 50), "p99": percentile(values, 99), "max": max(values),
                   "min": min(values)} for name, values in figures.items()}


def judged_of(samples):
    """Without those beside which the machine was late; earlier records know no such."""
    return [sample for sample in samples if not sample.get("void")]


def violated(samples):
    """How many of them had a violation."""
    return sum(bool(sample["violations"]) for sample in samples)


class Record:
    def __init__(self, directory, name):
        self.path = Path(directory) / f"{name}.json"
        self.samples = json.loads(self.path.read_text())["samples"] if self.path.exists() else []
        for number, sample in enumerate(self.samples):  # earlier records do not say when
            sample.setdefault("at_ms", number)
        self.name = name

    def add(self, commit, figures, violations, machine_late_ms=0.0, void=False):
        """The sample that is on record now."""
        sample = {"at_ms": time.time_ns() // 10**6, "commit": commit, "figures": figures,
                  "violations": violations, "machine_late_ms": machine_late_ms, "void": void}
        self.samples.append(sample)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        judged = judged_of(self.samples)
        whole = {"schema": 1, "name": self.name, "repeats": len(judged), "violations": violated(judged),
                 "void": len(self.samples) - len(judged),
                 "commits": sorted({sample["commit"] for sample in self.samples}),
                 "figures": summary(judged), "samples": self.samples}
        beside = self.path.with_suffix(".new")  # a run may be ended at any instant
        beside.write_text(json.dumps(whole, indent=1) + "\n")
        os.replace(beside, self.path)
        return sample
