package script

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"windlass/internal/operation"
)

// command is what to start.
type command struct {
	argv []string
	env  []string
	dir  string
	text string // for people, and for the failure's message
	// python: it is a Python script, which tells by its context how it ended.
	python bool
}

const (
	shell      = "/bin/sh"
	powershell = "powershell"
)

// programCommand tells how to start a script that is not Python: by its
// shebang, or by sh if it has none. The system's shell takes part only where
// there is something for it to parse, a prefix or arguments.
func programCommand(path string, head []byte, p process) (command, error) {
	prefix := p.prefix
	if prefix == "" && strings.EqualFold(filepath.Ext(path), ".ps1") {
		prefix = powershellCommand()
	}
	arguments := strings.Join(append([]string{""}, p.args...), " ")
	text := path + arguments
	quoted := path // for the shell
	if !plainWord(path) {
		quoted = quote(path)
	}
	if prefix != "" {
		return command{argv: []string{shell, "-c", prefix + " " + quoted + arguments}, text: prefix + " " + text}, nil
	}
	kind, err := inspect(filepath.Base(path), head)
	if err != nil {
		return command{}, err
	}
	start := []string{path}
	if kind == hasNoShebang {
		start, quoted = []string{shell, path}, shell+" "+quoted
	}
	if words, plain := plainWords(p.args); plain {
		return command{argv: append(start, words...), text: text}, nil
	}
	return command{argv: []string{shell, "-c", quoted + arguments}, text: text}, nil
}

// powershellCommand is the interpreter of .ps1 scripts: the name that scripts
// were written for, or what it is called on this system.
func powershellCommand() string {
	if _, err := exec.LookPath(powershell); err != nil {
		if _, err := exec.LookPath("pwsh"); err == nil {
			return "pwsh"
		}
	}
	return powershell
}

// plainWords splits arguments as a shell would, if there is nothing in them
// but words.
func plainWords(args []string) ([]string, bool) {
	var words []string
	for _, a := range args {
		for _, w := range strings.Fields(a) {
			if !plainWord(w) {
				return nil, false
			}
			words = append(words, w)
		}
	}
	return words, true
}

func plainWord(s string) bool {
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case strings.ContainsRune("_-+=:,./@%", r):
		default:
			return false
		}
	}
	return s != ""
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// scriptKind is how a file can be started.
type scriptKind int

const (
	hasNoShebang  scriptKind = iota // text: for the shell
	selfSupported                   // a shebang or a program
)

// headBytes is how much of a script tells how it is started.
const headBytes = 4096

// inspect looks at a script's beginning, so that what would only be a riddle
// later ("no such file or directory") is told in clear words.
func inspect(name string, head []byte) (scriptKind, error) {
	first, _, _ := bytes.Cut(head, []byte("\n"))
	shebang, ok := bytes.CutPrefix(first, []byte("#!"))
	switch {
	case ok:
		return selfSupported, checkShebang(name, string(shebang))
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf#!")):
		return 0, nonRecoverable("the script %s begins with a byte order mark, so its first line is not seen as a shebang: save it without one",
			name)
	case bytes.IndexByte(head, 0) >= 0:
		return selfSupported, nil
	case bytes.HasSuffix(first, []byte("\r")):
		return 0, nonRecoverable("the script %s has Windows line endings (CRLF), which the shell does not understand:"+
			" save it with Unix line endings (LF)", name)
	}
	return hasNoShebang, nil
}

func checkShebang(name, shebang string) error {
	if strings.HasSuffix(shebang, "\r") {
		return nonRecoverable("the script %s has Windows line endings (CRLF): its first line asks for the interpreter %q."+
			" Save it with Unix line endings (LF)", name, strings.TrimLeft(shebang, " \t"))
	}
	fields := strings.Fields(shebang)
	if len(fields) == 0 {
		return nonRecoverable("the script %s has a first line #! without an interpreter", name)
	}
	if info, err := os.Stat(fields[0]); filepath.IsAbs(fields[0]) && (err != nil || info.IsDir()) {
		code := 127 // what a shell would say
		return &operation.Error{
			Verdict: operation.Recoverable, Type: processException, ExitCode: &code,
			Message: fmt.Sprintf("command: %s, exit_code: %d, stderr: the interpreter %s, which the script's first line asks for,"+
				" is not on this machine: install it or change the line", name, code, fields[0]),
		}
	}
	return nil
}
