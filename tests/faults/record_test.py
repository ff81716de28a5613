#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of the fault lab: percentiles, bounds, records that go on, a place for every fault."""
import json
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))
# pylint: disable=wrong-import-position
import plans  # noqa: E402
import report  # noqa: E402
import table  # noqa: E402
from record import Record, percentile, summary, violated  # noqa: E402
from scenario import Scenario  # noqa: E402


class Percentile(unittest.TestCase):
    def test_is_a_value_that_was_measured(self):
        values = list(range(1, 101))
        self.assertEqual([percentile(values, p) for p in (50, 99, 100)], [50, 99, 100])
        self.assertEqual(percentile([7], 99), 7)
        self.assertEqual(percentile([9, 1], 50), 1)


class Bounds(unittest.TestCase):
    scenario = Scenario("4", "power", "", "", None, {"gap_ms": 700}, {"sides": 2})

    def test_hold_up_to_the_bound_itself(self):
        self.assertEqual(self.scenario.violations({"gap_ms": 700, "sides": 2}), [])

    def test_are_violated_beyond_it(self):
        self.assertEqual(self.scenario.violations({"gap_ms": 700.1, "sides": 1}),
                         ["gap_ms 700.1, at most 700", "sides 1, at least 2"])

    def test_want_every_figure(self):
        self.assertEqual(self.scenario.violations({"sides": 3}), ["gap_ms was not measured"])


class JoinStorm(unittest.TestCase):
    def test_who_comes_alone_costs_a_view(self):
        self.assertEqual(plans.views_of_arrivals([1000, 0, 2000]), 3)

    def test_those_who_come_together_cost_two(self):
        self.assertEqual(plans.views_of_arrivals([0, 5, 90, 150, 1000, 1001]), 4)

    def test_those_who_never_end_coming_cost_one_more_each_d(self):
        self.assertEqual(plans.views_of_arrivals(range(0, 1100, 100)), 4)


class Records(unittest.TestCase):
    def test_go_on_where_they_were(self):
        with tempfile.TemporaryDirectory() as directory:
            for gap in (10, 30, 20):
                Record(directory, "power").add("c0ffee", {"gap_ms": gap, "causes": []}, ["x"] * (gap > 20))
            record = Record(directory, "power")
            self.assertEqual((len(record.samples), violated(record.samples)), (3, 1))
            self.assertEqual(summary(record.samples),
                             {"gap_ms": {"p50": 20, "p99": 30, "max": 30, "min": 10}})
            text = report.report(report.merged(Path(directory) / "faults.jsonl", directory))
            self.assertIn("| 3 | 1 | 0 | 20 | 30 | 30 |", text)
            self.assertIn("c0ffee", text)

    def test_count_void_ones_apart_good_or_bad(self):
        scenario = table.by_name("power")
        with tempfile.TemporaryDirectory() as directory:
            for gap, late_ms, violations in ((10, 0, []), (30, 101, []), (990, 250, ["slow"]), (20, 100, [])):
                Record(directory, "power").add("c0ffee", {"gap_ms": gap}, violations, late_ms,
                                               scenario.is_void(late_ms))
            whole = json.loads((Path(directory) / "power.json").read_text())
            self.assertEqual([whole[key] for key in ("repeats", "violations", "void")], [2, 0, 2])
            self.assertEqual(whole["figures"]["gap_ms"]["max"], 20)
            text = report.report(report.merged(Path(directory) / "faults.jsonl", directory))
            self.assertIn("| 2 | 0 | 2 | 10 | 20 | 20 |", text)
            self.assertIn("power at c0ffee (void: the machine was 250 ms late): slow", text)

    def test_of_a_machine_that_is_loaded_on_purpose_are_never_void(self):
        self.assertFalse(table.by_name("busy-cpus").is_void(5000))

    def test_add_up_over_machines_and_count_once(self):
        published = []
        for machine in range(2):
            with tempfile.TemporaryDirectory() as directory:
                for gap in (10, 20):
                    Record(directory, "power").add("c0ffee", {"gap_ms": gap + machine / 100, "failed": 7}, [])
                    time.sleep(0.002)  # no two repeats end at one instant
                for _ in range(2):
                    path = Path(directory) / "faults.jsonl"
                    path.write_text("".join(json.dumps(sample) + "\n" for sample in published))
                    published = report.merged(path, directory)
        self.assertEqual([sample["figures"] for sample in published],
                         [{"gap_ms": 10}, {"gap_ms": 20}, {"gap_ms": 10}, {"gap_ms": 20}])


class Table(unittest.TestCase):
    def test_names_are_one_and_every_fault_has_a_place(self):
        scenarios = [*table.SCENARIOS, *table.GUESTS]
        names = [scenario.name for scenario in scenarios]
        self.assertEqual(len(names), len(set(names)))
        placed = {one.number for one in [*scenarios, *table.COVERED]} | {one[0] for one in table.ABSENT}
        self.assertEqual(placed, set(map(str, range(1, 56))))


if __name__ == "__main__":
    unittest.main()
