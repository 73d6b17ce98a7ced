#!/bin/sh -e
# Makes the file system, unless the node says that there is one already.

external="$(ctx node properties use_external_resource)"
if [ "$external" = "True" ] || [ "$external" = "true" ]; then
    ctx logger info "Using the file system that is there"
    exit 0
fi

filesys="$(ctx instance runtime-properties filesys)"
fs_type="$(ctx node properties fs_type)"
mkfs="$(command -v "mkfs.$fs_type" || true)"
if [ -z "$mkfs" ] && [ -x "/sbin/mkfs.$fs_type" ]; then
    mkfs="/sbin/mkfs.$fs_type"
fi
if [ -z "$mkfs" ]; then
    ctx abort-operation "there is no mkfs.$fs_type on this machine"
    exit 1
fi

ctx logger info "Making a $fs_type file system on $filesys"
sudo "$mkfs" "$filesys"
