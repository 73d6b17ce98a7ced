#!/bin/bash
# The inputs of an operation are in the environment of its script.
# shellcheck disable=SC2154
ctx logger info "on the other side"
ctx instance runtime-properties script "$greeting from $(ctx node id)"
