#!/bin/bash
# Speaks every line of en.txt and fr.txt and writes en/*.opus and fr/*.opus beside them.
# Needs flite (with the voice rms), espeak-ng, sox and ffmpeg (with libopus): apt-get install flite espeak-ng sox ffmpeg
# The same versions of them make the same bytes; README.md names those that made what is here.
set -euo pipefail
cd "$(dirname "$0")"

readonly LEVEL=-20 # dBov, while somebody speaks
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

speak_en() { flite -voice rms --setf duration_stretch=1.03 -t "$1" -o "$2"; }
speak_fr() { espeak-ng -v fr+m3 -s 145 -p 42 -g 2 -a 80 -w "$2" "$1"; }

# The level of what is not silent, in dBov.
active_level() {
	sox "$1" -n silence 1 0.02 -45d -1 0.1 -45d stats 2>&1 | awk '/^RMS lev dB/ {print $4}'
}

# How much the consonants, which make words, are lifted: Flite has few of them, eSpeak has nearly enough.
readonly lift_en=5 lift_fr=1 # dB

# Silence at both ends goes; what is below the voice goes; loud and soft come closer to each other.
polish() {
	local lift=lift_$3
	sox -D -G "$1" -e float -b 32 "$2" \
		rate -v 16000 \
		silence 1 0.01 -50d reverse silence 1 0.01 -50d reverse \
		highpass 140 lowpass 7200 \
		equalizer 250 1.0q -3 equalizer 2500 0.7q "${!lift}" \
		compand 0.008,0.15 6:-60,-60,-40,-34,-20,-17,-8,-9,0,-6 -4 -90 0.02
}

# The gain towards LEVEL; a few peaks may be rounded off on the way, none is cut.
level() {
	local gain
	gain=$(awk -v want="$LEVEL" -v is="$(active_level "$1")" 'BEGIN {printf "%.2f", want - is}')
	sox -D "$1" -e signed -b 16 "$2" gain -l "$gain" fade t 0.005 -0 0.01
}

# One frame is 60 ms: the smallest file. The words stay with the sound, for the test that compares them.
encode() {
	ffmpeg -nostdin -loglevel error -y -i "$1" -map_metadata -1 -metadata title="$3" -fflags +bitexact -flags +bitexact \
		-c:a libopus -application voip -b:a 20k -vbr on -frame_duration 60 -page_duration 1000000 "$2"
}

for language in en fr; do
	rm -rf "$language"
	mkdir "$language"
	while IFS= read -r line; do
		name=${line%%: *} words=${line#*: }
		"speak_$language" "$words" "$work/spoken.wav"
		polish "$work/spoken.wav" "$work/polished.wav" "$language"
		level "$work/polished.wav" "$work/levelled.wav"
		encode "$work/levelled.wav" "$language/$name.opus" "$words"
	done <"$language.txt"
done
