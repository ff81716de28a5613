#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up test results: JUnit files of ctest, and the cases that the programs wrote themselves.

Usage: count-tests.py RESULTS REGISTERED. RESULTS/*.xml are ctest's, RESULTS/cases/NAME.xml is what the test
NAME wrote; REGISTERED programs are to have a result. Prints the output of each failed program, the reasons of
skips, and last the sum. Exit 1 when anything failed, gave no result, or when nothing was run at all.
"""
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

TAIL_LINES = 120


def cases_of(path):
    """(failed, skipped, passed) of the cases in a GoogleTest file: lists of names."""
    failed, skipped, passed = [], [], []
    for case in xml.parse(path).iter("testcase"):
        name = f'{case.get("classname", "")}.{case.get("name", "")}'.strip(".")
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif case.get("status") == "notrun":
            continue  # disabled or filtered out by its author
        elif case.get("result") == "skipped" or case.find("skipped") is not None:
            reason = case.find("skipped")
            skipped.append(name + (": " + reason.get("message", "").strip() if reason is not None else ""))
        else:
            passed.append(name)
    return failed, skipped, passed


def output_of(test):
    text = (test.findtext("system-out") or "").rstrip().splitlines()
    return "\n".join("    " + line for line in text[-TAIL_LINES:])


def main():
    results = Path(sys.argv[1])
    passed = failed = skipped = programs = 0
    for file in sorted(results.glob("*.xml")):
        for test in xml.parse(file).iter("testcase"):
            programs += 1
            name, status = test.get("name"), test.get("status")
            program_failed = status == "fail" or test.find("failure") is not None
            written = results / "cases" / f"{name}.xml"
            try:
                bad, left_out, good = cases_of(written) if written.exists() else ([], [], [])
            except xml.ParseError:
                bad, left_out, good = [], [], []
            if bad or program_failed:
                print(f"\nFAILED {name}" + (": " + ", ".join(bad) if bad else ""))
                print(output_of(test))
            if not program_failed and not bad and not good and not left_out:
                if status == "run":
                    good = [name]
                else:
                    lines = (test.findtext("system-out") or "").strip().splitlines()
                    left_out = [f"{name}: {lines[-1] if lines else status}"]
            if program_failed and not bad:
                bad = [name]  # it crashed, or ran out of time
            for reason in left_out:
                print(f"skipped {reason}")
            passed += len(good)
            failed += len(bad)
            skipped += len(left_out)
    if programs < int(sys.argv[2]):
        print(f"{int(sys.argv[2]) - programs} registered tests gave no result")
        failed += int(sys.argv[2]) - programs
    if passed + failed + skipped == 0:
        print("no test was run: is the build complete?")
        failed = 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
