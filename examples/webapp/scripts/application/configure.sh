#!/bin/bash
# Renders the application's page and keeps its path for publishing.
set -euo pipefail
: "${title:?is an input of the operation}"
template=$(ctx download-resource resources/index.html)
page=$(mktemp "${TMPDIR:-/tmp}/webapp-page.XXXXXX")
deployment=$(ctx deployment id)
sed -e "s|@TITLE@|${title//|/\\|}|g" -e "s|@DEPLOYMENT@|$deployment|g" "$template" >"$page"
ctx instance runtime-properties page "$page"
ctx instance runtime-properties published_title "$title"
