#!/bin/sh
# Runs every fuzz target of the module for the time given as the first argument. What does not compile, or has
# no target anywhere, is a failure: each list is taken on a line of its own, where its end counts.
set -eu
packages=$(go list ./...)
found=0
for package in $packages; do
	list=$(go test -list '^Fuzz' "$package")
	for target in $(printf '%s\n' "$list" | grep '^Fuzz' || true); do
		found=$((found + 1))
		echo "fuzz $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "$package"
	done
done
if [ "$found" = 0 ]; then
	echo "fuzz: no target was found" >&2
	exit 1
fi
