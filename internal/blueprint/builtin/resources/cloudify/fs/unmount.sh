#!/bin/sh -e
# Unmounts the file system from the machine that contains it.

mount_path="$(ctx source node properties fs_mount_path)"

ctx logger info "Unmounting $mount_path"
sudo umount -l "$mount_path"
sudo rmdir "$mount_path" 2>/dev/null || true
