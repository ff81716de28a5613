#!/usr/bin/env bash
# Format and house rules. `make format` mends the format.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
complain() { echo "lint: $*" >&2; failed=1; }

mapfile -t sources < <(git ls-files '*.c' '*.h' '*.cc' '*.hh' | grep -v -e 'vmlinux' -e '/skel/')
if ! clang-format-14 -style=file --dry-run -Werror "${sources[@]}" 2>/tmp/lint.$$; then
  grep -oE '^[^ :]+:[0-9]+:[0-9]+: error' "/tmp/lint.$$" | cut -d: -f1 | sort | uniq -c | head -40 >&2
  complain "these files are not formatted; run: make format"
fi
rm -f "/tmp/lint.$$"

# The core takes time, randomness and input as arguments: the simulator replays it.
banned='clock_gettime|steady_clock|system_clock|getrandom|random_device|\brand\(|::time\(|sys/socket\.h|<thread>|std::thread'
core=$(git ls-files src/core src/wire src/base | grep -v '_test\.cc$' | xargs -r grep -nE "$banned" || true)
[ -z "$core" ] || { echo "$core" >&2; complain "src/base, src/wire and src/core use no clock, socket, thread or randomness of their own"; }

for file in "${sources[@]}"; do
  head -1 "$file" | grep -q SPDX || complain "$file: the first line names no licence (SPDX-License-Identifier)"
done
while IFS= read -r script; do bash -n "$script" || complain "$script: does not parse"; done < <(git ls-files '*.sh' .ci/run)
while IFS= read -r script; do
  python3 -c 'import ast,sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$script" || complain "$script: does not parse"
done < <(git ls-files '*.py')
[ $failed -eq 0 ] && echo "lint: ${#sources[@]} source files are fine"
exit $failed
