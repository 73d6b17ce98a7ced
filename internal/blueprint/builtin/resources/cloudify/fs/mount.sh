#!/bin/sh -e
# Mounts the file system on the machine that contains it.

filesys="$(ctx source instance runtime-properties filesys)"
mount_path="$(ctx source node properties fs_mount_path)"

if [ ! -d "$mount_path" ]; then
    sudo mkdir -p "$mount_path"
fi
ctx logger info "Mounting $filesys on $mount_path"
sudo mount "$filesys" "$mount_path"
sudo chown -R "$(id -u):$(id -g)" "$mount_path"
