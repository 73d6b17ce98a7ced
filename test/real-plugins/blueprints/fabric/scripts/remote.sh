#!/bin/bash
ctx logger info "on the other side"
ctx instance runtime-properties script "$greeting from $(ctx node id)"
