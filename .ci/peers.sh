#!/usr/bin/env bash
# Brings the real peers that the tests talk to: phones (sipp, baresip, linphonec), a proxy (kamailio), networks of their own (ip), a browser (chromium) and what
# drives it (node, playwright-core in .cache/node). Does nothing, and says nothing, when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

# Commands, and the Debian packages that bring them. A command is what counts: node may come from elsewhere.
missing=()
while read -r command package; do
	command -v "$command" >/dev/null || missing+=("$package")
done <<'END'
sipp sip-tester
baresip baresip
linphonec linphone-cli
chromium chromium
kamailio kamailio
sox sox
ffmpeg ffmpeg
node nodejs
npm npm
ip iproute2
END
if [ "${#missing[@]}" -gt 0 ]; then
	sh .ci/install.sh "${missing[@]}"
fi

# The browser's driver, exactly as package-lock.json pins it.
cache=.cache/node
lock=testdata/peers/package-lock.json
if ! cmp -s "$lock" "$cache/installed-lock.json"; then
	echo "installing playwright-core, axe-core, livekit-client and JsSIP into $cache"
	mkdir -p "$cache"
	cp testdata/peers/package.json "$lock" "$cache/"
	npm ci --prefix "$(cd "$cache" && pwd -P)" --no-audit --no-fund --silent --ignore-scripts
	cp "$lock" "$cache/installed-lock.json"
fi
