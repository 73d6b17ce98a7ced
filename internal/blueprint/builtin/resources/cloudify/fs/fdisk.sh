#!/bin/sh -e
# Makes one partition on a volume and tells the file system where it is.
# Runs before a file system is made on the volume it depends on.

device="${device_name:-$(ctx target instance runtime-properties device_name)}"
type="$(ctx source node properties partition_type)"

case "$device" in
    /dev/*) ;;
    *) device="/dev/$device" ;;
esac

external="$(ctx source node properties use_external_resource)"
if [ "$external" = "True" ] || [ "$external" = "true" ]; then
    ctx logger info "Using the partition that is on $device"
else
    ctx logger info "Making a partition of type $type on $device"
    printf 'n\np\n1\n\n\nt\n%s\nw\n' "$(printf '%x' "$type")" | sudo fdisk "$device" || true
    # fdisk returns before the kernel has read the new table
    sudo partprobe "$device" 2>/dev/null || sleep 2
fi

case "$device" in
    *[0-9]) partition="${device}p1" ;;
    *) partition="${device}1" ;;
esac
ctx source instance runtime-properties filesys "$partition"
