#!/bin/bash
# Installs the Debian packages that the tests need and that are missing.
# Usage: apt-packages.sh [sudo]
set -euo pipefail
declare -A provides=(
    [postgresql]=/usr/lib/postgresql/*/bin/initdb
    [python3]=/usr/bin/python3
    [python3-jinja2]=/usr/lib/python3/dist-packages/jinja2/__init__.py
    [perl-base]=/usr/bin/perl
    [curl]=/usr/bin/curl
    [shellcheck]=/usr/bin/shellcheck
)
missing=()
for package in "${!provides[@]}"; do
    # The value is a pattern on purpose: versions are part of some paths.
    # shellcheck disable=SC2206
    found=(${provides[$package]})
    [ -e "${found[0]}" ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "please install: ${missing[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
"$@" apt-get -qq update
"$@" apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
