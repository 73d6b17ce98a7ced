package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Interpreter is a Python of this machine.
type Interpreter struct {
	Path         string
	Major, Minor int
	Platform     string // linux_x86_64
	// Glibc is the minor version of glibc 2, -1 if the system has another one.
	Glibc int
	Venv  bool // it can make virtualenvs
	Pip   bool
	Site  []string // the folders of its packages
}

// Version is such as 3.11.
func (i Interpreter) Version() string { return fmt.Sprintf("%d.%d", i.Major, i.Minor) }

const probe = `
import json, platform, site, sys, sysconfig
def there(name):
    try:
        __import__(name)
        return True
    except ImportError:
        return False
libc = platform.libc_ver()
print(json.dumps({'Path': sys.executable, 'Major': sys.version_info[0], 'Minor': sys.version_info[1],
    'Platform': sysconfig.get_platform().replace('-', '_').replace('.', '_'),
    'Glibc': int(libc[1].split('.')[1]) if libc[0] == 'glibc' else -1, 'Venv': there('venv'), 'Pip': there('pip'),
    'Site': site.getsitepackages() + [site.getusersitepackages()]}))
`

// Interpreters finds the Pythons 3.8 and newer on this process's PATH, the one
// called python3 first, then the newest. Programs that are no Python are left
// out.
func Interpreters(ctx context.Context) []Interpreter {
	names := []string{"python3"}
	for minor := 20; minor >= 8; minor-- {
		names = append(names, "python3."+strconv.Itoa(minor))
	}
	var found []Interpreter
	seen := map[string]bool{}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		i, err := probeInterpreter(ctx, path)
		if err == nil && (i.Major > 3 || i.Major == 3 && i.Minor >= 8) && !seen[i.Path] {
			seen[i.Path] = true
			found = append(found, i)
		}
	}
	return found
}

func probeInterpreter(ctx context.Context, path string) (Interpreter, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var i Interpreter
	out, err := exec.CommandContext(ctx, path, "-I", "-c", probe).Output()
	if err == nil {
		err = json.Unmarshal(bytes.TrimSpace(out), &i)
	}
	if err != nil {
		return i, fmt.Errorf("ask %s what it is: %w", path, err)
	}
	return i, nil
}

// accepts tells whether a wheel of those tags can be used, and if not why.
func (i Interpreter) accepts(t tags) (bool, string) {
	python := fmt.Sprintf("%d%d", i.Major, i.Minor)
	fitsPython := slices.ContainsFunc(t.pythons, func(tag string) bool {
		switch {
		case tag == "py"+strconv.Itoa(i.Major), tag == "py"+python, tag == "cp"+python:
			return true
		case strings.HasPrefix(tag, "py"+strconv.Itoa(i.Major)):
			return olderMinor(tag[3:], i.Minor)
		case strings.HasPrefix(tag, "cp"+strconv.Itoa(i.Major)) && slices.Contains(t.abis, "abi3"):
			return olderMinor(tag[3:], i.Minor)
		}
		return false
	})
	if !fitsPython {
		return false, "it is for " + strings.Join(t.pythons, ", ") + ", not Python " + i.Version()
	}
	if !slices.ContainsFunc(t.abis, func(abi string) bool { return abi == "none" || abi == "abi3" || abi == "cp"+python }) {
		return false, "its binary interface is " + strings.Join(t.abis, ", ")
	}
	if !slices.ContainsFunc(t.platforms, i.runs) {
		return false, "it is for the platform " + strings.Join(t.platforms, ", ") + ", not " + i.Platform
	}
	return true, ""
}

func olderMinor(digits string, minor int) bool {
	n, err := strconv.Atoi(digits)
	return err == nil && n <= minor
}

// runs tells whether binaries of a platform tag run here.
func (i Interpreter) runs(tag string) bool {
	if tag == "any" || tag == "" || tag == i.Platform {
		return true
	}
	arch, linux := strings.CutPrefix(i.Platform, "linux_")
	rest, ok := strings.CutSuffix(tag, "_"+arch)
	if !linux || !ok {
		return false
	}
	if i.Glibc < 0 {
		return strings.HasPrefix(rest, "musllinux_")
	}
	needs := map[string]int{"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
	if least, ok := needs[rest]; ok {
		return i.Glibc >= least
	}
	if v, ok := strings.CutPrefix(rest, "manylinux_2_"); ok {
		return olderMinor(v, i.Glibc)
	}
	return false
}

// run runs a program and gives its output; an error carries the end of what it
// wrote.
func run(ctx context.Context, dir string, argv ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Dir = dir
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	ownGroup(c)
	c.WaitDelay = 5 * time.Second
	if err := c.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		text := strings.TrimSpace(stderr.String())
		if text == "" {
			text = strings.TrimSpace(stdout.String())
		}
		const most = 2000
		if len(text) > most {
			text = "..." + text[len(text)-most:]
		}
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(argv[0]), err, text)
	}
	return stdout.Bytes(), nil
}

var errNoPython = errors.New("no Python 3.8 or newer was found on this machine's PATH (" + runtime.GOOS + "); install one")
