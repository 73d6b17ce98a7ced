#!/bin/bash
# Puts the application's page on the server that it was connected to.
set -euo pipefail
: "${docroot:?is an input of the operation}"
page=$(ctx source instance runtime-properties page)
install -m 644 "$page" "$docroot/index.html"
rm -f -- "$page"
ctx logger info "Published $(ctx source instance id) on $(ctx target instance id)"
