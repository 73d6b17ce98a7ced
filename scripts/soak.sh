#!/bin/bash
# Runs the tests that look for lost, doubled or stuck work for a long time, on
# both databases. The last line has the totals; it exits with an error if
# anything was wrong.
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

verdict="nothing lost, doubled or stuck"

soak() { # FLAGS AND PACKAGES of go test
    set +e
    go test -count=1 -v "$@" | tee -a "$work/log" | grep -Ev '^(=== |[[:space:]]*--- PASS)|totals:'
    [ "${PIPESTATUS[0]}" = 0 ] || verdict="FAILED, see above"
    set -e
}

soak -p 3 -timeout "$((seconds + 600))s" -run 'Kill|Simulation' ./test/crash ./internal/execution ./internal/graph

# The rules of who may run, against their model, on both databases.
SOAK=1 soak -timeout "$((seconds + 1200))s" -run 'RulesAgainstModel|AbsentDatabase' ./internal/execution -rapid.checks=$((10 * seconds))

# Up to ten thousand operations through one Python worker, which must stay as it was.
WINDLASS_TEST_OPERATIONS=$((seconds < 100 ? 100 * seconds : 10000)) soak -run ManyOperations ./internal/operation/python

awk '
    { for (i = 1; i <= NF; i++) if (split($i, pair, "=") == 2) sum[pair[1]] += pair[2] }
    END { for (k in sum) print k "=" sum[k] }
' <(grep -o 'totals: .*' "$work/log" || true) | sort | paste -sd' ' |
    sed "s/^/soak: $seconds s: /; s/\$/: $verdict/"
[ "$verdict" != "FAILED, see above" ]
