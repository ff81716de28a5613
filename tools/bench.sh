#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every benchmark program that was built (build/bench/bench_*, build/bin/bench_*), each within its share
# of four minutes, and keeps the figures as build/bench/NAME.json. bench/report.py makes
# docs/results/performance.md and its plots of them.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
mkdir -p build/bench
mapfile -t programs < <(find build/bench build/bin -maxdepth 1 -type f -executable \
  \( -name 'bench_*' -o -name '*_bench' \) 2>/dev/null | sort)
if [ ${#programs[@]} -eq 0 ]; then
  echo "bench: no benchmark program is built yet"
  exit 0
fi
share=$((240 / ${#programs[@]}))
failed=0
for program in "${programs[@]}"; do
  name=$(basename "$program")
  echo "== $name"
  timeout "$share" "$program" --benchmark_out="build/bench/$name.json" --benchmark_out_format=json || {
    echo "bench: $name failed or took longer than $share s" >&2
    failed=1
  }
done
# All but scaling, which is not timed yet, stay within twelve minutes together. That a goal is missed is the
# report's to say; what ends with an error here could not measure.
rounds=${NLB_BENCH_ROUNDS:-4}
few=$(((rounds + 1) / 2)) # of what takes long a round
run() {
  echo "== $1"
  python3 "bench/$1_bench.py" "${@:2}" || failed=1
}
run rate "$rounds"
run overhead "$((rounds * 2))"
run guard_rate "$few"
run steering "$few"
run scaling
run failover "$(((rounds + 3) / 4))" # 93 s each
exit $failed
