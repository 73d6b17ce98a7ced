package script

import (
	"os"
	"syscall"
)

// linked tells by how many names a file is known; 0 if that can't be told.
func linked(info os.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink)
	}
	return 0
}

// isSoleUser tells whether nobody else has the file open: only then the system
// grants a lease for writing. The lease is given back at once.
func isSoleUser(f *os.File) bool {
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_SETLEASE, syscall.F_WRLCK); errno != 0 {
		return false
	}
	_, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_SETLEASE, syscall.F_UNLCK)
	return errno == 0
}
