#!/bin/bash
# Prints the figures that the project is judged by. Compare runs, or columns of
# one run; single absolute times say little on a shared machine. What uses a
# database is measured on both, if a PostgreSQL server is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
export WINDLASS_TEST_CFY=$PWD/bin/cfy

work=$(mktemp -d)
trap 'test/postgres.sh stop "$work/postgres" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
chmod 755 "$work"
if url=$(POSTGRES_SYNC=on test/postgres.sh start "$work/postgres"); then
    export WINDLASS_TEST_POSTGRES=$url
fi

bench() { # TITLE PACKAGES [FLAGS]
    printf '\n== %s\n' "$1"
    shift
    go test -run '^$' -timeout 20m "$@" | grep -E '^(Benchmark|FAIL|---|\s+\S+\.go)' | sed -E 's/^Benchmark//' | column -t
}

bench "The binary: start-up, an install of 1,000 instances x 3 scripts against a plain shell, custom workflows of 1,000 tasks, 1,000 executions under way" -bench "Startup|Install|Workflow|Running" -benchtime 1x -count 3 ./test/bench
bench "Blueprints: parse, validate and plan" -bench Plan -benchtime 5x -benchmem ./internal/blueprint
bench "Instances from a plan" -bench . -benchtime 3x -benchmem ./internal/topology
bench "Engine: no-op tasks" -bench . -benchtime 3x -benchmem ./internal/graph
bench "Executions: journalled with sync on SQLite" -bench Engine -benchtime 20000x ./internal/execution
bench "Executions of the real binary, asked for over HTTP" -bench Executions -benchtime 1000x ./test/bench
bench "Executions: started to ended; from an end to the next start (goal: p99 < 20 ms)" -bench 'Executions|Handover' -benchtime 500x ./internal/execution
bench "Schedules: 100,000 held; how late those start that are due (goal: p99 < 100 ms)" -bench 'Schedules' -benchtime 1x ./internal/execution
bench "Executions: a queue of 10,000 drained" -bench Queue -benchtime 10000x ./internal/execution
bench "Storage: state change and event in one transaction" -bench . -benchtime 2s ./internal/store/sqlite
bench "Scripts: an operation against plain fork and exec" -bench . -benchtime 300x ./internal/operation/script
bench "Python: an operation in a warm worker and in a new one, against plain python3 -c" -bench 'Operation|PlainPython' -benchtime 200x ./internal/operation/python
bench "Python: a workflow whose graph has 1,000 tasks of its own" -bench Workflow -benchtime 5x ./internal/operation/python
bench "Programs: an operation of a plugin in Go, with its process" -bench . -benchtime 200x ./internal/operation/stdio
