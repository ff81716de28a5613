#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzzers, runs each for FUZZ_SECONDS (default 60), one after the other, and ends with a table of
# what was executed and reached. Fails when one finds something; its input is named.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/deps.sh --if-missing
mkdir -p build/fuzz
cmake --preset fuzz >build/fuzz/configure.log 2>&1 || { cat build/fuzz/configure.log; exit 1; }
cut -d" " -f1 build/fuzz/fuzzers.txt | xargs ninja -C build/fuzz
table=build/fuzz/summary.txt
: >"$table"
failed=0
while read -r name corpus; do
  found="build/fuzz/found/$name"
  log="build/fuzz/$name.log"
  mkdir -p "$found"
  echo "== $name"
  result=good
  nice -n 19 "build/fuzz/bin/$name" -max_total_time="${FUZZ_SECONDS:-60}" -max_len=4096 -timeout=5 \
    -print_final_stats=1 -artifact_prefix="$found-" "$found" "$corpus" >"$log" 2>&1 </dev/null || result=FOUND
  if [ $result = FOUND ]; then
    failed=1
    tail -40 "$log" >&2
    echo "fuzz: $name found something; its input is named above" >&2
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  reached=$(grep -oE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$log" | tail -1 | tr -dc '0-9 ')
  # shellcheck disable=SC2086 # three numbers
  printf '%-26s %12s %8s %9s %7s  %s\n' "$name" "${runs:-?}" ${reached:-? ? ?} $result >>"$table"
done <build/fuzz/fuzzers.txt
printf '\n%-26s %12s %8s %9s %7s  %s\n' fuzzer executions edges features inputs result
cat "$table"
exit $failed
