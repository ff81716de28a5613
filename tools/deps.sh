#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what tools/deps.txt names. Usage: deps.sh [--if-missing]
# With --if-missing it is silent and quick when nothing is missing.
set -euo pipefail
list="$(dirname "$0")/deps.txt"
mapfile -t wanted < <(grep -v '^#' "$list")
missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done
# For the console's pages, which a release brings along. Not in the list: other builds of nodejs bring npm
# along, beside which Debian's cannot be installed.
[ -e "$(dirname "$0")/../web/built/index.html" ] || command -v npm >/dev/null || missing+=(nodejs npm)
if ! command -v apt-get >/dev/null; then
  echo "deps: this is not Debian or Ubuntu; please install the counterparts of: ${wanted[*]}" >&2
  exit 1
fi
if [ ${#missing[@]} -eq 0 ]; then
  [ "${1:-}" = --if-missing ] || echo "deps: all ${#wanted[@]} packages are installed"
  exit 0
fi
echo "deps: about to install with apt-get: ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
  echo "deps: this needs root; run: sudo make deps" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# The tests start the servers they need in namespaces of their own; what comes with a package is neither
# started now nor at boot.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
case " ${missing[*]} " in *" nginx "*) systemctl disable --now nginx >/dev/null 2>&1 || true ;; esac
case " ${missing[*]} " in *" openssh-server "*) systemctl disable --now ssh >/dev/null 2>&1 || true ;; esac
echo "deps: done"
