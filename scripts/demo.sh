#!/bin/bash
# Shows Windlass at work: a manager with nothing but its own binary, and the
# example application installed through it. STOP=1 uninstalls and stops it.
set -euo pipefail
cd "$(dirname "$0")/.."

home=$PWD/.demo
port=${PORT:-5380}
export CFY_HOME=$home/client
cfy=$PWD/bin/cfy

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "${*/#$cfy/cfy}"; "$@"; }
running() { [ -s "$home/manager.pid" ] && kill -0 "$(cat "$home/manager.pid")" 2>/dev/null; }
page_url() { "$cfy" deployments outputs hello --json | python3 -c 'import json, sys
outputs = json.load(sys.stdin)
print(outputs["url"]["value"])'; }

if [ "${STOP:-}" = 1 ]; then
    running || { echo "No demo is running: start one with 'make demo'."; exit 0; }
    url=$(page_url)
    say "Uninstalling"
    show "$cfy" uninstall hello
    if curl -sf --max-time 3 "$url" >/dev/null; then
        echo "the page is still served at $url" >&2
        exit 1
    fi
    say "The page at $url is gone"
    kill "$(cat "$home/manager.pid")"
    while running; do sleep 0.1; done
    rm -rf "$home"
    echo "The manager has stopped and its data is removed."
    exit 0
fi

if running; then
    echo "The demo is already running (pid $(cat "$home/manager.pid")). 'make demo STOP=1' takes it down."
    exit 0
fi
rm -rf "$home"
mkdir -p "$home"

say "Starting a manager with an empty data directory"
nohup "$cfy" manager start --data-dir "$home/data" --listen "127.0.0.1:$port" >"$home/manager.log" 2>&1 </dev/null &
echo $! >"$home/manager.pid"
for _ in $(seq 200); do
    curl -sf "http://127.0.0.1:$port/api/v3.1/ok" >/dev/null && break
    running || { cat "$home/manager.log" >&2; exit 1; }
    sleep 0.05
done
cat "$home/manager.log"
show "$cfy" status

say "Uploading the example"
show "$cfy" blueprints upload examples/webapp -b webapp

say "Creating a deployment"
show "$cfy" deployments create hello -b webapp -i title="Hello from Windlass"

say "Installing, with events as they happen"
show "$cfy" executions start install -d hello

say "Outputs and capabilities"
show "$cfy" deployments outputs hello
show "$cfy" deployments capabilities hello
show "$cfy" node-instances list -d hello

url=$(page_url)
say "The page at $url"
page=$(curl -sf --max-time 5 "$url")
printf '%s\n' "$page"
grep -q '<h1>Hello from Windlass</h1>' <<<"$page"

say "Try next"
cat <<TEXT
The manager goes on running (pid $(cat "$home/manager.pid"), API http://127.0.0.1:$port).
    export CFY_HOME=$CFY_HOME PATH=$PWD/bin:\$PATH
    cfy executions list
    cfy events list \$(cfy executions list --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[-1]["id"])')
    cfy executions start restart -d hello
    cfy executions start execute_operation -d hello -p operation=cloudify.interfaces.lifecycle.configure
    make demo STOP=1        # uninstall, show that the page is gone, stop
TEXT
