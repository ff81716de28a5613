#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sim-seeds.py against nlb-sim itself: pieces add up to what one run over the same seeds reports; the speed
is each run's own. Usage: sim_seeds_test.py NLB-SIM"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = Path(__file__).with_name("sim-seeds.py")
NLB_SIM = sys.argv.pop() if len(sys.argv) > 1 else "build/bin/nlb-sim"
OPTIONS = "--minutes 0.5 --no-shrink"


def lines_of(text):
    return [line for line in text.splitlines() if line.startswith("|") and not line.startswith("| speed")]


class Seeds(unittest.TestCase):
    def setUp(self):
        kept = tempfile.TemporaryDirectory()
        self.addCleanup(kept.cleanup)
        self.directory = Path(kept.name)

    def tool(self, seeds, *words):
        return subprocess.run([sys.executable, TOOL, seeds, "--nlb-sim", NLB_SIM, "--directory",
                               self.directory, "--options", OPTIONS, *words], capture_output=True, text=True,
                              check=False)

    def test_pieces_add_up_to_one_run(self):
        whole = self.directory / "whole.md"
        subprocess.run([NLB_SIM, "--seeds", "3-9", "--report", whole, *OPTIONS.split()], check=True,
                       capture_output=True)
        pieces = self.tool("3-9", "--piece", "3")
        self.assertEqual(pieces.returncode, 0, pieces.stderr)
        self.assertEqual(lines_of(pieces.stdout), lines_of(whole.read_text()))

    def test_a_run_goes_on_where_it_was(self):
        self.assertEqual(self.tool("1-2", "--piece", "1").returncode, 0)
        report = self.directory / "00001.md"
        report.write_text(report.read_text().replace("| violations | 0 |", "| violations | 2 |"))
        again = self.tool("1-2", "--piece", "1")  # the report that is there stands
        self.assertEqual(again.returncode, 1)
        self.assertIn("| violations | 2 |", again.stdout)
        self.assertIn("violation: ", again.stderr)

    def test_reports_of_other_seeds_options_or_programs_do_not_stand(self):
        self.assertEqual(self.tool("1-2").returncode, 0)
        report = self.directory / "00001.md"
        program = Path(self.directory, "nlb-sim")
        shutil.copy(NLB_SIM, program)  # newer than the report
        for words in (("1-3",), ("1-2", "--options", "--minutes 0.4 --no-shrink"),
                      ("1-2", "--nlb-sim", program)):
            self.assertEqual(self.tool("1-2").returncode, 0)
            report.write_text(report.read_text().replace("| violations | 0 |", "| violations | 2 |"))
            os.utime(program)
            self.assertEqual(self.tool(*words).returncode, 0, words)

    def test_a_row_that_is_not_known_is_summed_by_nobody(self):
        self.assertEqual(self.tool("1-1").returncode, 0)
        report = self.directory / "00001.md"
        report.write_text(report.read_text().replace("| seeds |", "| mean of something |"))
        self.assertIn("mean of something", self.tool("1-1").stderr)

    def test_wrong_words_say_what_is_allowed(self):
        for wrong in ("9-3", "0-4", "all"):
            self.assertIn("FIRST-LAST", self.tool(wrong).stderr)


if __name__ == "__main__":
    unittest.main()
