#!/bin/bash
# Starts and stops a PostgreSQL server for tests: `postgres.sh start DIR` makes
# a server in DIR and prints its postgres:// URL, `postgres.sh stop DIR` ends it
# and removes DIR. It syncs nothing to disk unless POSTGRES_SYNC=on is set, as
# benchmarks do: tests don't pull the plug.
set -euo pipefail

usage() {
    echo "usage: $0 start|stop DIR" >&2
    exit 2
}

[ $# = 2 ] || usage
dir=$2

# Debian keeps the server's programs off the PATH.
bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
[ -x "$bin/initdb" ] || bin=$(dirname "$(command -v initdb || true)")
if [ ! -x "$bin/pg_ctl" ]; then
    echo "PostgreSQL is not installed: on Debian, apt-get install postgresql" >&2
    exit 1
fi

# The server refuses to run as root.
as_owner() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && runuser -u "$owner" -- "$@")
    else
        "$@"
    fi
}

owner=$(id -un)
if [ "$(id -u)" = 0 ]; then
    owner=postgres
    id "$owner" >/dev/null 2>&1 || useradd --system --no-create-home "$owner"
fi

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start() {
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    [ "$(id -u)" != 0 ] || chown "$owner" "$dir"
    as_owner "$bin/initdb" --pgdata "$dir/data" --username windlass --auth trust --encoding UTF8 --locale C.UTF-8 \
        --no-sync >"$dir.log" 2>&1 || { cat "$dir.log" >&2; exit 1; }
    local sync=${POSTGRES_SYNC:-off} port
    for _ in 1 2 3 4 5; do # the port may be taken before the server gets it
        port=$(free_port)
        cat >"$dir/data/postgresql.auto.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir'
max_connections = 300
shared_buffers = '128MB'
fsync = $sync
synchronous_commit = $sync
full_page_writes = $sync
CONF
        if as_owner "$bin/pg_ctl" --pgdata "$dir/data" --log "$dir/server.log" --wait --silent start >"$dir.log" 2>&1; then
            rm -f "$dir.log"
            echo "postgres://windlass@127.0.0.1:$port/postgres?sslmode=disable"
            return
        fi
    done
    cat "$dir.log" "$dir/server.log" >&2
    exit 1
}

stop() {
    [ -d "$dir/data" ] || return 0
    as_owner "$bin/pg_ctl" --pgdata "$dir/data" --mode immediate --wait --silent stop || true
    rm -rf "$dir"
}

case $1 in
start) start ;;
stop) stop ;;
*) usage ;;
esac
