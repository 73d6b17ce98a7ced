#!/bin/bash
# Takes the page off the server.
set -euo pipefail
[ -z "${docroot:-}" ] || rm -f -- "$docroot/index.html"
