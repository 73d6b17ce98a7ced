#!/bin/bash
# Makes the folder that the server serves.
set -euo pipefail
docroot=$(mktemp -d "${TMPDIR:-/tmp}/webapp.XXXXXX")
ctx instance runtime-properties docroot "$docroot"
ctx logger info "Serving from $docroot"
