//go:build linux || darwin || freebsd

package manager

import (
	"fmt"

	"golang.org/x/sys/unix"

	"windlass/internal/rest"
)

// diskOf tells how much room there is for files in a folder.
func diskOf(dir string) (rest.Disk, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return rest.Disk{}, fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	block := int64(fs.Bsize)
	return rest.Disk{Free: int64(fs.Bavail) * block, Total: int64(fs.Blocks) * block}, nil
}
