package script

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes puts a script into a process group of its own, and has the
// system end it when the manager dies: a script that nobody listens to any more
// is run again by whoever takes the execution over, so it must not go on beside
// that. What it left in the background lives on.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// statProcess looks up a process; false if there is none.
func statProcess(pid int) (processInfo, bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return processInfo{}, false
	}
	return parseStat(pid, data)
}

// parseStat reads /proc/<pid>/stat. The name in it may hold anything, but ends
// at the last parenthesis.
func parseStat(pid int, data []byte) (processInfo, bool) {
	end := bytes.LastIndexByte(data, ')')
	if end < 0 {
		return processInfo{}, false
	}
	fields := strings.Fields(string(data[end+1:]))
	const state, group, start = 0, 2, 19
	if len(fields) <= start {
		return processInfo{}, false
	}
	p := processInfo{pid: pid, dead: fields[state] == "Z" || fields[state] == "X"}
	var err, err2 error
	p.group, err = strconv.Atoi(fields[group])
	p.start, err2 = strconv.ParseUint(fields[start], 10, 64)
	return p, err == nil && err2 == nil
}

// findProcesses returns the living processes that are wanted, in one go
// through all that there are.
func findProcesses(w wanted) []processInfo {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	var found []processInfo
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		p, ok := statProcess(pid)
		if !ok || p.dead {
			continue
		}
		if p.run, ok = w.groups[p.group]; !ok {
			p.run, ok = readMarker(pid)
			ok = ok && w.runs[p.run]
		}
		if ok {
			found = append(found, p)
		}
	}
	return found
}

// readMarker returns the run directory in a process's environment.
func readMarker(pid int) (string, bool) {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return "", false
	}
	for len(env) > 0 {
		variable, rest, _ := bytes.Cut(env, []byte{0})
		if dir, ok := bytes.CutPrefix(variable, []byte(marker)); ok {
			return string(dir), true
		}
		env = rest
	}
	return "", false
}

// awaitEnd returns when a child has ended, or at once if that cannot be waited
// for in this way. It keeps no thread busy, as wait(2) does: a thousand
// operations at once would need a thousand.
func awaitEnd(pid int) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(fd uintptr) bool { // an error means no more than that wait(2) will do the waiting
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return ready > 0 || err != nil && err != unix.EINTR
	})
}

// bootID names the time since the machine was started; start times of
// processes mean something only within it.
func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// release gives the disk space of the first n bytes of a file back, where the
// file system can.
func release(f *os.File, n int64) {
	_ = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, n)
}

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
