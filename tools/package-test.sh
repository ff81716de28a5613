#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The tests of the packages on a fresh Debian 12. Its root is made once, in build/root; machines are layers
# over it. They have no network but their own, so what the packages depend on is in that root beforehand.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v lintian >/dev/null || {
  echo "package-test: lintian is not installed: apt-get install lintian" >&2
  exit 1
}
lintian --fail-on error,warning --tag-display-limit 0 build/*.deb
echo "lintian: nothing"
root="$PWD/build/root/bookworm"
tools/debian-root.sh "$root" iproute2 nftables busybox-static
export NLB_PACKAGE_ROOT="$root"
python3 tests/packages/install.py
python3 tests/packages/quick_start.py
python3 tests/packages/release.py
