#!/usr/bin/env bash
# Brings what the tests of LiveKit rooms talk to: Redis, and a LiveKit server in .cache/bin, built once from its
# module. Does nothing, and says nothing, when all is there. With the argument "newest" it is the newest server that
# can be had so, in .cache/bin/livekit-server-newest.
set -euo pipefail
cd "$(dirname "$0")/.."

version=v1.11.0
binary=.cache/bin/livekit-server
if [ "${1:-}" = newest ]; then
	version=v1.13.5 # from 1.13.6 on they carry replace lines, which go install refuses
	binary=.cache/bin/livekit-server-newest
fi

command -v redis-server >/dev/null || sh .ci/install.sh redis-server
if [ "$("$binary" --version 2>/dev/null)" != "livekit-server version ${version#v}" ]; then
	echo "building livekit-server $version into $binary (once; two to three minutes on two cores)"
	mkdir -p .cache/bin
	GOFLAGS='' GOBIN="$PWD/.cache/bin" go install "github.com/livekit/livekit-server/cmd/server@$version"
	mv .cache/bin/server "$binary"
fi
