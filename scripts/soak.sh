#!/bin/bash
# Runs the tests that look for lost, doubled or stuck work for a long time, on
# both databases. Each ends with a line of its totals.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
work=$(mktemp -d)
trap 'test/postgres.sh stop "$work/postgres" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
chmod 755 "$work"

WINDLASS_TEST_POSTGRES=$(test/postgres.sh start "$work/postgres")
export WINDLASS_TEST_POSTGRES
export WINDLASS_TEST_CFY=$PWD/bin/cfy
export SOAK_SECONDS=$seconds

go test -count=1 -timeout "$((seconds + 600))s" -v -run 'Kill|Simulation' ./test/crash ./internal/execution |
    grep -Ev '^(=== |[[:space:]]*--- PASS)'

# Ten thousand operations through one Python worker, which must stay as it was.
WINDLASS_TEST_OPERATIONS=10000 go test -count=1 -v -run ManyOperations ./internal/operation/python | grep -E 'operations in|^(ok|FAIL|---)'
