#!/bin/sh
# Runs the benchmarks and ends with one JSON object: every figure by name, the median of COUNT runs.
set -eu
out=$(mktemp)
trap 'rm -f "$out"' EXIT
go test -run '^$' -bench . -benchmem -count "${COUNT:-3}" -benchtime "${BENCHTIME:-1s}" \
	./bridge ./bridge/audio ./codec/g711 ./codec/opus ./sip/rtp ./rooms/sfu 2>&1 | tee "$out"
! grep -q '^FAIL\|^--- FAIL' "$out"
awk '
function median(list,   n, v, i, j, t) {
	n = split(list, v, " ")
	for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j-1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j-1]; v[j-1] = t }
	return v[int((n + 1) / 2)] + 0
}
/^pkg: / { pkg = $2; sub(/^passerelle\//, "", pkg) }
/^Benchmark/ {
	name = $1; sub(/^Benchmark/, "", name); sub(/-[0-9]+$/, "", name)
	for (i = 3; i < NF; i += 2) {
		key = pkg "." name " " $(i+1)
		if (!(key in seen)) { order[++keys] = key; seen[key] = 1 }
		all[key] = all[key] " " $i
	}
}
END {
	up = median(all["bridge.UpSocketToSocket cpu-ns/op"]); floor = median(all["bridge.UpFloor cpu-ns/op"])
	if (floor > 0) printf "up path, socket to socket: %.1f us of CPU a packet; the floor %.1f us; ratio %.2f\n", up / 1000, floor / 1000, up / floor
	printf "{"
	for (k = 1; k <= keys; k++) printf "\"%s\": %s, ", order[k], median(all[order[k]])
	printf "\"up ratio to the floor\": %.3f}\n", (floor > 0 ? up / floor : 0)
}' "$out"
