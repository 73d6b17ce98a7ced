#!/bin/bash
# Runs every test. PostgreSQL is started for the run on a free port.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'test/postgres.sh stop "$work/postgres" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
chmod 755 "$work"

WINDLASS_TEST_POSTGRES=$(test/postgres.sh start "$work/postgres")
export WINDLASS_TEST_POSTGRES
export WINDLASS_TEST_CFY=$PWD/bin/cfy
export WINDLASS_TEST_PYTHON=$PWD/.venv/bin/python

# A program with the race detector in it waits for a second as it ends, unless told
# otherwise. The tests start thousands of such programs.
export GORACE=atexit_sleep_ms=10
CGO_ENABLED=1 .tools/gotestsum --format pkgname-and-test-fails --hide-summary=skipped -- -race -timeout 10m ./...
# The Python runner once more, with an interpreter that has the original's packages.
WINDLASS_TEST_INTERPRETER=$WINDLASS_TEST_PYTHON go test -count=1 ./internal/operation/python
