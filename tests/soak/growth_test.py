#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The judge of a soak: what it finds, and what it must not take for growth."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))
# pylint: disable=wrong-import-position
from growth import FULL_RING, judge  # noqa: E402
from live import Failure  # noqa: E402


def run_of(count, **changes):
    """Samples of a run in which 20 events come with a fault; `changes` are functions of a sample's number."""
    samples = []
    for number in range(count):
        one = {"fault": "kill host2", "wrong": "", "at_s": 3.0 * number, "pid": 7, "rss_kb": 60000,
               "events": 20 * (number + 1), "descriptors": 40, "programs": 12, "maps": 30, "pins": 33}
        samples.append({**one, **{name: change(number) for name, change in changes.items()}})
    return samples


class Growth(unittest.TestCase):
    def test_of_what_is_bounded_is_none(self):
        fills_up = run_of(200, rss_kb=lambda n: 60000 + 2 * min(20 * n, FULL_RING))
        self.assertIn("60000", judge(run_of(200)))
        self.assertIn("+", judge(fills_up))

    def test_is_found_at_its_bound(self):
        steady = 60000
        late = [lambda n, more=more: steady + (more if n > 190 else 0) for more in (1023, 1024)]
        self.assertIn("+1023", judge(run_of(200, rss_kb=late[0])))
        with self.assertRaisesRegex(Failure, "grew by 1024 KiB"):
            judge(run_of(200, rss_kb=late[1]))

    def test_of_a_few_bytes_an_event_is_found(self):
        with self.assertRaisesRegex(Failure, "grew"):
            judge(run_of(2000, rss_kb=lambda n: 60000 + 20 * n * 100 // 1024))

    def test_of_any_count_is_found(self):
        for name in ("descriptors", "programs", "maps", "pins"):
            with self.assertRaisesRegex(Failure, f"{name} do not stay"):
                judge(run_of(200, **{name: lambda n: 50 + (n > 150)}))


    def test_of_descriptors_is_none_while_somebody_asks(self):
        self.assertIn("40 descriptors", judge(run_of(200, descriptors=lambda n: 40 + (150 <= n < 152))))
        with self.assertRaisesRegex(Failure, "descriptors do not stay"):
            judge(run_of(200, descriptors=lambda n: 40 + (150 <= n < 153)))
        with self.assertRaisesRegex(Failure, "pins do not stay"):
            judge(run_of(200, pins=lambda n: 33 + (n == 150)))


class Verdict(unittest.TestCase):
    def test_needs_enough_samples_after_the_warm_up(self):
        with self.assertRaisesRegex(Failure, "too few"):
            judge(run_of(FULL_RING // 20 + 5))

    def test_needs_one_daemon_and_clients_that_were_served(self):
        with self.assertRaisesRegex(Failure, "another one"):
            judge(run_of(200, pid=lambda n: 7 + (n > 100)))
        with self.assertRaisesRegex(Failure, "clients failed after 1 of 200"):
            judge(run_of(200, wrong=lambda n: "3 failed" if n == 20 else ""))


if __name__ == "__main__":
    unittest.main()
