package child

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Attributes put a process into a group of its own, and have the system end it
// when the manager dies. Operations that nobody listens to any more are run
// again by whoever takes the execution over, so they must not go on beside that.
func Attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// Stat looks up a process; false if there is none.
func Stat(pid int) (Info, bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Info{}, false
	}
	// The name in it may hold anything, but ends at the last parenthesis.
	end := bytes.LastIndexByte(data, ')')
	if end < 0 {
		return Info{}, false
	}
	fields := strings.Fields(string(data[end+1:]))
	const state, group, start = 0, 2, 19
	if len(fields) <= start {
		return Info{}, false
	}
	p := Info{PID: pid, Dead: fields[state] == "Z" || fields[state] == "X"}
	var err2 error
	p.Group, err = strconv.Atoi(fields[group])
	p.Start, err2 = strconv.ParseUint(fields[start], 10, 64)
	return p, err == nil && err2 == nil
}

// Find returns the living processes that are wanted, in one go
// through all that there are.
func Find(w Wanted) []Info {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	var found []Info
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		p, ok := Stat(pid)
		if !ok || p.Dead {
			continue
		}
		if p.Run, ok = w.Groups[p.Group]; !ok {
			p.Run, ok = readMarker(pid)
			ok = ok && w.Runs[p.Run]
		}
		if ok {
			found = append(found, p)
		}
	}
	return found
}

// readMarker returns the run directory in a process's environment. That of a
// process that was forked and runs no other program is its parent's.
func readMarker(pid int) (string, bool) {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return "", false
	}
	for len(env) > 0 {
		variable, rest, _ := bytes.Cut(env, []byte{0})
		if dir, ok := bytes.CutPrefix(variable, []byte(Marker+"=")); ok {
			return string(dir), true
		}
		env = rest
	}
	return "", false
}

// Boot names the time since the machine was started; start times of
// processes mean something only within it.
func Boot() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// GiveBack gives the disk space of the first n bytes of a file back, where the
// file system can.
func GiveBack(f *os.File, n int64) {
	_ = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, n)
}

// AwaitEnd returns when a child has ended, or at once if that cannot be waited
// for in this way. It keeps no thread busy, as wait(2) does: a thousand
// operations at once would need a thousand.
func AwaitEnd(pid int) {
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
