#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every test, the cheap ones first, and ends with one line: N passed, N failed, N skipped.
# Usage: run-tests.sh [REGEX]   only the tests whose name matches
#
# ctest counts programs; people count cases. GoogleTest programs and the live tests write their cases as XML
# files, and tools/count-tests.py adds them up; a program that writes none counts as one.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
results="$PWD/build/test-results"
rm -rf "$results"
mkdir -p "$results/cases"
export GTEST_OUTPUT="xml:$results/cases/"
export NLB_TEST_RESULTS="$results/cases"
export NLB_LAB_ROOT=/run/opennlb-lab

run() {  # NAME ctest-arguments…
  local name=$1
  shift
  echo "== $name"
  ctest --test-dir build --no-tests=ignore --output-junit "$results/$name.xml" \
    --test-output-size-failed 100000 -R "${filter:-.}" "$@" </dev/null |
    grep -E '^ *[0-9]+/[0-9]+ Test|^No tests' || true  # failures are read from the results, below
}
filter="${1:-}"
run unit -L '^unit$' -j"$(nproc)"
# They wait more than they compute: one more than there are processors.
run alone -LE '^(unit|lab)$' -j$(($(nproc) + 1))
run lab -L "^lab$" -j1                     # those that measure time, one at a time

registered=$(ctest --test-dir build -N -R "${filter:-.}" | sed -n 's/^Total Tests: //p')
python3 tools/count-tests.py "$results" "$registered"
