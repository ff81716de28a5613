#!/usr/bin/env bash
# `make demo`: the story in two screens, on one machine, with real requests. Leaves the lab up.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" -ne 0 ]; then
  echo "demo: network namespaces need root; run: sudo make demo" >&2
  exit 1
fi
[ -x build/bin/nlb ] && [ -x build/bin/nlbd ] || { echo "demo: build/bin/nlb is not there; run: make demo" >&2; exit 1; }
exec python3 tools/demo.py build/bin/nlb
