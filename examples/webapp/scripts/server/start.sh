#!/bin/bash
# Starts the server in the background and waits until it answers.
set -euo pipefail
docroot=$(ctx instance runtime-properties docroot)
server=$(ctx download-resource resources/server.py "$docroot/.server.py")
state=$docroot/.state

nohup python3 "$server" "$docroot" "${port:-0}" >"$docroot/.server.log" 2>&1 </dev/null &
pid=$!

for _ in $(seq 100); do
    [ -s "$state" ] && break
    kill -0 "$pid" 2>/dev/null || { cat "$docroot/.server.log" >&2; exit 1; }
    sleep 0.05
done
[ -s "$state" ] || { kill "$pid"; echo "the server did not come up in 5 seconds" >&2; exit 1; }

ctx instance runtime-properties pid "$pid"
ctx instance runtime-properties port "$(cat "$state")"
ctx logger info "Web server listens on port $(cat "$state") (pid $pid)"
ctx returns "$(cat "$state")"
