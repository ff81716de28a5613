#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A fresh Debian 12 with what the packages in build/ depend on, made once. Packages that are named here are
# in it besides. Usage: debian-root.sh DIRECTORY [PACKAGE…]
set -euo pipefail
cd "$(dirname "$0")/.."
root="$1"
shift
[ ! -e "$root/.complete" ] || exit 0
command -v debootstrap >/dev/null || {
  echo "debian-root: debootstrap is not installed: apt-get install debootstrap" >&2
  exit 1
}
rm -rf "$root"
mapfile -t libraries < <(for deb in build/*.deb; do dpkg-deb -f "$deb" Depends; done | tr ',|' '\n' |
  sed 's/(.*//; s/ //g; s/-fmt[0-9]*$//' | grep -Ev '^(opennlb.*|systemd-.*|)$' | sort -u)
include=$(IFS=,; echo "${libraries[*]},$*" | tr ' ' ',')
mkdir -p "$(dirname "$root")"
debootstrap --variant=minbase --include="$include" bookworm "$root" \
  "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$root.log"
rm -f "$root"/var/cache/apt/archives/*.deb
touch "$root/.complete"
