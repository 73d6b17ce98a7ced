#!/bin/bash
# Fuzzes every target for the given number of seconds each. Making interesting
# inputs small is bounded: by default it takes up to a minute for each, and then
# archives are hardly fuzzed at all.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
for package in $(go list ./...); do
    for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
        echo "== $package $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "${seconds}s" -fuzzminimizetime 50x "$package"
    done
done
