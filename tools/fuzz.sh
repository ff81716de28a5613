#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets and runs each for FUZZ_SECONDS (default 20).
set -euo pipefail
cd "$(dirname "$0")/.."
if [ ! -f fuzz/CMakeLists.txt ]; then
  echo "fuzz: there are no fuzz targets"
  exit 0
fi
tools/deps.sh --if-missing
cmake --preset fuzz >/dev/null
ninja -C build/fuzz
found=0
while IFS= read -r target; do
  found=1
  name=$(basename "$target")
  corpus="build/fuzz/corpus/$name"
  mkdir -p "$corpus"
  echo "== $name"
  seeds=()
  [ -d "fuzz/corpus/${name%_fuzz}" ] && seeds=("fuzz/corpus/${name%_fuzz}")
  log="build/fuzz/$name.log"
  if ! "$target" -max_total_time="${FUZZ_SECONDS:-20}" -timeout=5 -print_final_stats=1 \
    "$corpus" "${seeds[@]}" >"$log" 2>&1 </dev/null; then
    tail -40 "$log" >&2
    echo "fuzz: $name found something; the input is the crash-* file named above" >&2
    exit 1
  fi
  grep -E 'number_of_executed|Done' "$log" || true
done < <(find build/fuzz -type f -executable \( -name 'fuzz_*' -o -name '*_fuzz' \))
[ $found -eq 1 ] || echo "fuzz: no target was built"
