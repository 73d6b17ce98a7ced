package script_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/operation/script"
)

func TestOddOutput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		want   []string
	}{
		"no newline at the end": {`printf 'a\nb'`, []string{"a", "b"}},
		"empty lines":           {`printf '\na\n\n'`, []string{"", "a", ""}},
		"carriage returns":      {`printf 'a\r\nb\r\n'`, []string{"a", "b"}},
		"unicode":               {`echo 'grüße 世界 𝄞'`, []string{"grüße 世界 𝄞"}},
		"binary":                {`printf 'a\377\376b\000c\n'`, []string{"a\uFFFDb\uFFFDc"}},
		"nothing":               {`true`, nil},
		"log prefix":            {`echo '<err> x'`, []string{"<err> x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, host, err := run(t, "s.sh", c.script, nil)
			mustSucceed(t, err, host)
			if d := cmp.Diff(c.want, host.Output("<out> ")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestLongLinesAreSplitBetweenCharacters(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Resources["s.py"] = "print('ü' * 5000 + 'end', end='')\nprint('x' * 20)\n"
	r := newRunner(t, func(c *script.Config) { c.Output.LineBytes = 999 })
	_, err := r.Run(t.Context(), request(t, map[string]any{"script_path": "s.py"}), host)
	mustSucceed(t, err, host)
	lines := host.Output("<out> ")
	if got := strings.Join(lines, ""); got != strings.Repeat("ü", 5000)+"end"+strings.Repeat("x", 20) {
		t.Errorf("the pieces do not make up the line: %d bytes", len(got))
	}
	for _, l := range lines {
		if len(l) > 999 {
			t.Errorf("a piece of %d bytes", len(l))
		}
	}
}

func TestAFloodIsCutButItsEndIsKept(t *testing.T) {
	t.Parallel()
	const total = 300_000
	host := newHost()
	host.Resources["s.sh"] = fmt.Sprintf("seq 1 %d; echo bad >&2; exit 1", total)
	r := newRunner(t, func(c *script.Config) { c.Output.Lines = 100 })
	_, err := r.Run(t.Context(), request(t, map[string]any{"script_path": "s.sh"}), host)
	e := operationError(t, err)
	if !strings.Contains(e.Output, fmt.Sprintf("<out> %d", total)) || !strings.Contains(e.Output, "<err> bad") {
		t.Errorf("output: %q", e.Output)
	}
	lines := host.Lines()
	var warnings []string
	for _, l := range lines {
		if l.Level == "warning" {
			warnings = append(warnings, l.Message)
		}
	}
	if len(warnings) != 2 || !strings.Contains(warnings[1], fmt.Sprintf("%d lines (", total+1-100)) {
		t.Errorf("%q", warnings)
	}
	if len(lines) > 130 {
		t.Errorf("%d lines were logged", len(lines))
	}
	if out := host.Output("<out> "); out[99] != "100" || out[len(out)-1] != strconv.Itoa(total) {
		t.Errorf("%q ... %q", out[99], out[len(out)-1])
	}
}

// The output of a flood must not stay on disk until the script ends.
func TestAFloodGivesItsDiskSpaceBack(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Resources["s.sh"] = `d=${0%/*}; yes 0123456789abcdef | head -c 50000000; ctx logger info written; while [ ! -e go ]; do sleep 0.05; done`
	var root string
	r := newRunner(t, func(c *script.Config) { root = c.Root })
	req := request(t, map[string]any{"script_path": "s.sh"})
	done := make(chan error, 1)
	go func() {
		_, err := r.Run(t.Context(), req, host)
		done <- err
	}()
	used := func() int64 {
		files, _ := filepath.Glob(filepath.Join(root, "runs", "*", "stdout"))
		if len(files) != 1 {
			return -1
		}
		var s syscall.Stat_t
		if err := syscall.Stat(files[0], &s); err != nil || s.Size < 50_000_000 {
			return -1
		}
		return s.Blocks * 512
	}
	eventually(t, "the disk space to be given back", func() bool { n := used(); return n >= 0 && n < 10_000_000 })
	if err := os.WriteFile(filepath.Join(req.WorkDir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mustSucceed(t, <-done, host)
}

func TestOutputIsSeenWhileTheScriptRuns(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Resources["s.sh"] = "echo first; while [ ! -e go ]; do sleep 0.02; done; echo second"
	req := request(t, map[string]any{"script_path": "s.sh"})
	r := newRunner(t, nil)
	done := make(chan error, 1)
	go func() {
		_, err := r.Run(t.Context(), req, host)
		done <- err
	}()
	eventually(t, "the first line", func() bool { return join(host.Output("<out> ")) == "first" })
	if err := os.WriteFile(filepath.Join(req.WorkDir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mustSucceed(t, <-done, host)
	if got := join(host.Output("<out> ")); got != "first\nsecond" {
		t.Errorf("%q", got)
	}
}

// A daemon that the script leaves behind holds its output open: the operation
// ends anyway, and the daemon can go on writing.
func TestABackgroundProcessDoesNotHoldTheOperation(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Resources["s.sh"] = `(
	while [ ! -e go ]; do sleep 0.02; done
	echo still writing || exit
	echo and again || exit
	touch survived
) &
echo $! > daemon.pid
echo started
`
	req := request(t, map[string]any{"script_path": "s.sh"})
	_, err := newRunner(t, nil).Run(t.Context(), req, host)
	mustSucceed(t, err, host)
	if got := join(host.Output("<out> ")); got != "started" {
		t.Errorf("%q", got)
	}
	if err := os.WriteFile(filepath.Join(req.WorkDir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the daemon to get on", func() bool {
		_, err := os.Stat(filepath.Join(req.WorkDir, "survived"))
		return err == nil
	})
}
