#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Debian packages into build/. Usage: deb.sh [BUILD_DIRECTORY]
# With a build directory its programs are packed; without one everything is built by itself, with Debian's
# flags and the unit tests (unless DEB_BUILD_OPTIONS has nocheck).
set -euo pipefail
cd "$(dirname "$0")/.."
built="${1:+$(realpath "$1")}"
version=$(dpkg-parsechangelog -S Version | sed "s,-[^-]*$,,")
place="$PWD/build/deb"
rm -rf "$place"
mkdir -p "$place/opennlb-$version"
# dpkg-buildpackage writes into the tree and beside it: a copy of what belongs to the project.
files() {  # a release tarball has no git
  git ls-files -z --cached --others --exclude-standard 2>/dev/null ||
    find . -path ./build -prune -o -type f -print0
}
files | tar --null -cf - --files-from=- | tar -xf - -C "$place/opennlb-$version"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(dpkg-parsechangelog -S Timestamp)}
export SOURCE_DATE_EPOCH
options=(--build=binary --no-sign --no-check-builddeps)
if [ -n "$built" ]; then
  export NLB_BUILD_DIR="$built" DEB_BUILD_OPTIONS="nocheck noautodbgsym ${DEB_BUILD_OPTIONS:-}"
else
  options=(--build=binary --no-sign)
fi
(cd "$place/opennlb-$version" && dpkg-buildpackage "${options[@]}") >"$place/build.log" 2>&1 || {
  tail -30 "$place/build.log" >&2
  exit 1
}
rm -f build/opennlb*.deb
mv "$place"/*.deb build/
rm -rf "$place/opennlb-$version"
ls build/*.deb
