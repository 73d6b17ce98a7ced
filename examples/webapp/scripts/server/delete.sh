#!/bin/bash
# Removes the served folder.
set -euo pipefail
docroot=$(ctx instance runtime-properties docroot 2>/dev/null || true)
case "$docroot" in
    */webapp.??????) rm -rf -- "$docroot" ;;
esac
