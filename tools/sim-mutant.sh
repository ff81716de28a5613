#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Would the simulator find this mistake? Applies a patch to src/core or src/wire in a scratch copy, builds
# nlb-sim there, runs fresh seeds until one violates an invariant, and says which.
# Exit: 0 caught, 1 not, 2 the patch does not apply or does not build.
# Usage: sim-mutant.sh PATCH [SEEDS]    SEEDS: how many, default 1000; SIM_FROM: the first, default 1000001
set -euo pipefail
patch=$(realpath "${1:?usage: sim-mutant.sh PATCH [SEEDS]}")
seeds=${2:-1000}
from=${SIM_FROM:-1000001}
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
git -C "$root" archive HEAD | tar -x -C "$scratch"
# What has been edited and not committed belongs to it.
git -C "$root" diff HEAD --binary >"$scratch/edited.patch"
if [ -s "$scratch/edited.patch" ]; then (cd "$scratch" && git apply edited.patch); fi
if ! (cd "$scratch" && git apply --include='src/core/*' --include='src/wire/*' "$patch"); then
  echo "sim-mutant: $patch does not apply" >&2
  exit 2
fi
mkdir "$scratch/build"
build() {  # a mistake may leave something unused: no error here
  cd "$scratch" && cmake --preset release -DCMAKE_CXX_FLAGS=-Wno-error >build/log 2>&1 &&
    ninja -C build nlb-sim >build/log 2>&1
}
if ! (build); then
  tail -20 "$scratch/build/log" >&2
  exit 2
fi
step=25
for ((seed = from; seed < from + seeds; seed += step)); do
  last=$((seed + step - 1 < from + seeds - 1 ? seed + step - 1 : from + seeds - 1))
  if ! found=$(timeout 600 "$scratch/build/bin/nlb-sim" --seeds "$seed-$last" --minutes 1 --no-shrink); then
    first=$(grep -m1 '^seed' <<<"$found" || true)
    echo "$(basename "$patch"): caught by ${first:-a run that does not end, seeds $seed-$last}"
    exit 0
  fi
done
echo "$(basename "$patch"): not caught by $seeds seeds from $from"
exit 1
