#!/bin/bash
set -e
ctx instance runtime-properties noted "$(ctx instance runtime-properties noted 2>/dev/null || true) $(ctx operation name)"
