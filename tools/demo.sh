#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `make demo`: the story in two screens, on one machine, with real requests. Leaves the lab up.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" -ne 0 ]; then
  echo "demo: network namespaces need root; run: sudo make demo" >&2
  exit 1
fi
for program in nlb nlbd; do
  [ -x "build/bin/$program" ] || { echo "demo: build/bin/$program is not there; run: make demo" >&2; exit 1; }
done
exec python3 tools/demo.py build/bin/nlb
