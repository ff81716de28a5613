# SPDX-License-Identifier: Apache-2.0
"""What the repeats of a scenario gave: one JSON file each, samples kept, written after every repeat.

A run that was interrupted goes on where it was; samples of another commit stay beside the new ones, each with
its commit."""
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


class Record:
    def __init__(self, directory, name):
        self.path = Path(directory) / f"{name}.json"
        self.samples = json.loads(self.path.read_text())["samples"] if self.path.exists() else []
        for number, sample in enumerate(self.samples):  # earlier records do not say when
            sample.setdefault("at_ms", number)
        self.name = name

    def add(self, commit, figures, violations):
        self.samples.append({"at_ms": time.time_ns() // 10**6, "commit": commit, "figures": figures,
                             "violations": violations})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = {"schema": 1, "name": self.name, "repeats": len(self.samples), "violations": self.violations,
                 "commits": sorted({sample["commit"] for sample in self.samples}),
                 "figures": summary(self.samples), "samples": self.samples}
        beside = self.path.with_suffix(".new")  # a run may be ended at any instant
        beside.write_text(json.dumps(whole, indent=1) + "\n")
        os.replace(beside, self.path)

    @property
    def violations(self):
        return sum(bool(sample["violations"]) for sample in self.samples)
