#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The sources of HEAD as build/opennlb-VERSION.tar.gz, with the console's pages built in web/built: who builds
# from it needs no npm.
# Order, owners, modes and times are fixed (SOURCE_DATE_EPOCH, else the commit's time): the same commit, the
# same bits.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^project(opennlb VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
name="opennlb-$version"
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir -p build
git archive --prefix="$name/" HEAD | tar -xf - -C "$place"
if [ -e "$place/$name/web/package-lock.json" ]; then
  (cd "$place/$name/web" && npm ci --ignore-scripts --no-audit --no-fund >/dev/null &&
    npm run --silent build -- --outDir built --logLevel warn && rm -rf node_modules)
fi
tar -C "$place" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" \
  --mode='u+rw,go+r,go-w,a+X' -cf - "$name" | gzip -9n >"build/$name.tar.gz"
sha256sum "build/$name.tar.gz"
