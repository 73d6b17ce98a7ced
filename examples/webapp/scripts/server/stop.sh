#!/bin/bash
# Stops the server. Nothing to do if it never came up.
set -euo pipefail
pid=$(ctx instance runtime-properties pid 2>/dev/null || true)
if [ -n "$pid" ] && kill "$pid" 2>/dev/null; then
    ctx logger info "Stopped the web server (pid $pid)"
fi
