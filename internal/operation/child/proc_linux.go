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

// statProcess looks up a process; false if there is none.
func statProcess(pid int) (info, bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return info{}, false
	}
	// The name in it may hold anything, but ends at the last parenthesis.
	end := bytes.LastIndexByte(data, ')')
	if end < 0 {
		return info{}, false
	}
	fields := strings.Fields(string(data[end+1:]))
	const state, group, start = 0, 2, 19
	if len(fields) <= start {
		return info{}, false
	}
	p := info{pid: pid, dead: fields[state] == "Z" || fields[state] == "X"}
	var err2 error
	p.group, err = strconv.Atoi(fields[group])
	p.start, err2 = strconv.ParseUint(fields[start], 10, 64)
	return p, err == nil && err2 == nil
}

// findProcesses returns the living processes that are wanted, in one go
// through all that there are.
func findProcesses(w wanted) []info {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	var found []info
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
	const worthwhile = 1 << 20
	if n >= worthwhile {
		_ = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, n)
	}
}
