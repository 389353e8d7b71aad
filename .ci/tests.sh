#!/usr/bin/env bash
# Runs `go test` with the arguments given. Where it fails, what failed stands once more at the end, without what
# the peers wrote around it.
set -uo pipefail
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"${GO:-go}" test "$@" 2>&1 | tee "$out"
status=${PIPESTATUS[0]}
if [ "$status" != 0 ]; then
	printf '\nWhat failed, in short:\n'
	grep -E '^[[:space:]]*(--- FAIL|panic: |[a-z_]+\.go:[0-9]+: |WARNING: DATA RACE|FAIL[[:space:]])' "$out" | cut -c1-300 | grep -vE "what the peers wrote|: delay " | tail -60
fi
exit "$status"
