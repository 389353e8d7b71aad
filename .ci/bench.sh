#!/usr/bin/env bash
# Runs the benchmarks, measures the delays of bin/passerelle and what it holds under load, and ends with one JSON
# object: every figure by name, the median of COUNT runs, and the load under "sound". A goal that is missed is told, and is no failure: machines differ. A figure
# that cannot be had is one.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# 1. The benchmarks of the packages.
go test -run '^$' -bench . -benchmem -count "${COUNT:-3}" -benchtime "${BENCHTIME:-1s}" \
	./bridge ./bridge/audio ./codec/g711 ./codec/g722 ./codec/halfband ./codec/opus ./sip/rtp ./rooms/sfu 2>&1 | tee "$out"

# 2. The delays through the program itself. The test keeps its figures only where they are worth something.
delay=.tmp/peers/delay.json
rm -f "$delay"
go test -tags nolibopusfile,peers -timeout 5m -count=1 -v -run '^TestDelay$' ./cmd/passerelle/peers/ ||
	echo "TestDelay says no; see above"
if ! [ -s "$delay" ]; then
	echo "bench: the delays could not be measured" >&2
	exit 1
fi

# 3. Calls held, CPU beside the floor, set-up rate, sound over bad networks: about eight minutes.
sound=.tmp/peers/soundload.json
rm -f "$sound"
PASSERELLE_LOAD=sound go test -tags nolibopusfile,peers -timeout 30m -count=1 -v -run '^TestSoundLoad$' ./cmd/passerelle/peers/ ||
	echo "TestSoundLoad says no; see above"
if ! [ -s "$sound" ]; then
	echo "bench: the load could not be measured" >&2
	exit 1
fi

# 4. Goals and figures, and all of them by name.
figures=$(awk '
function median(list,   n, v, i, j, t) {
	n = split(list, v, " ")
	for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j-1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j-1]; v[j-1] = t }
	return v[int((n + 1) / 2)] + 0
}
function add(key, value) {
	if (!(key in all)) order[++keys] = key
	all[key] = all[key] " " value
}
function figure(key) {
	if (!(key in all)) { printf "bench: %s could not be measured\n", key > "/dev/stderr"; failed = 1; return 0 }
	return median(all[key])
}
function goal(name, most, value, unit) {
	printf "%-44s goal below %6.2f %-3s figure %8.2f %-3s %s\n", name, most, unit, value, unit, (value < most ? "met" : "MISSED")
}
FILENAME == delay { # one flat JSON object
	gsub(/[{}" ]/, "")
	n = split($0, pair, ",")
	for (i = 1; i <= n; i++) { split(pair[i], member, ":"); add(member[1], member[2]) }
	next
}
/^pkg: / { pkg = $2; sub(/^passerelle\//, "", pkg) }
/^Benchmark/ {
	name = $1; sub(/^Benchmark/, "", name); sub(/-[0-9]+$/, "", name)
	for (i = 3; i < NF; i += 2) add(pkg "." name " " $(i+1), $i)
}
END {
	up = figure("bridge.UpSocketToSocket cpu-ns/op"); floor = figure("bridge.UpFloor cpu-ns/op")
	upDelay = figure("delay_up_p50_ms"); downDelay = figure("delay_down_p50_ms")
	if (failed) exit 1
	printf "up path, socket to socket: %.1f us of CPU a packet; the floor %.1f us; ratio %.2f\n", up / 1000, floor / 1000, up / floor
	goal("delay up, phone to room, half the packets", 2, upDelay, "ms")
	goal("delay down, room to phone, half the sound", 45, downDelay, "ms")
	printf "{"
	for (k = 1; k <= keys; k++) printf "\"%s\": %s, ", order[k], median(all[order[k]])
	printf "\"up ratio to the floor\": %.3f}\n", up / floor
}' delay="$delay" "$out" "$delay")
last=$(printf '%s\n' "$figures" | tail -n 1)
printf '%s\n' "$figures" | head -n -1
printf '%s, "sound": %s}\n' "${last%\}}" "$(tr -d '\n' <"$sound")"
