#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The tests of the packages on a fresh Debian 12. Its root is made once, in build/root; machines are layers
# over it. They have no network but their own, so what the packages depend on is in that root beforehand.
set -euo pipefail
cd "$(dirname "$0")/.."
for program in debootstrap lintian; do
  command -v "$program" >/dev/null || {
    echo "package-test: $program is not installed: apt-get install $program" >&2
    exit 1
  }
done
lintian --fail-on error,warning --tag-display-limit 0 build/*.deb
echo "lintian: nothing"
root="$PWD/build/root/bookworm"
if [ ! -e "$root/.complete" ]; then
  rm -rf "$root"
  mapfile -t libraries < <(for deb in build/*.deb; do dpkg-deb -f "$deb" Depends; done | tr ',|' '\n' |
    sed 's/(.*//; s/ //g; s/-fmt[0-9]*$//' | grep -Ev '^(opennlb.*|systemd-.*|)$' | sort -u)
  include=$(IFS=,; echo "${libraries[*]},iproute2,nftables,busybox-static")
  mkdir -p build/root
  debootstrap --variant=minbase --include="$include" bookworm "$root" \
    "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >build/root/debootstrap.log
  touch "$root/.complete"
fi
export NLB_PACKAGE_ROOT="$root"
python3 tests/packages/install.py
python3 tests/packages/quick_start.py
