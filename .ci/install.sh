#!/bin/sh
# Installs the Debian packages named as arguments, those that are absent, and says so.
set -eu
missing=""
for package in "$@"; do
	dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then
	root=""
elif command -v sudo >/dev/null; then
	root=sudo
else
	echo "Passerelle needs these Debian packages:$missing. As root: apt-get install$missing" >&2
	exit 1
fi
echo "installing$missing"
$root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing >/dev/null
