//go:build !(linux || darwin || freebsd)

package manager

import (
	"errors"

	"windlass/internal/rest"
)

// diskOf tells nothing where we don't know how to ask.
func diskOf(string) (rest.Disk, error) { return rest.Disk{}, errors.ErrUnsupported }
