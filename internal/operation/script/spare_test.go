package script

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"windlass/internal/operation/child"
)

// What was used is used again, empty; what somebody has open is not.
func TestSpareRunDirectories(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	r := &Runner{cfg: Config{Root: root}, prefix: child.OwnPrefix()}
	for _, dir := range []string{r.runsDir(), r.sparesDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	used := func() *runDir {
		d, err := r.newRunDir("script.sh")
		if err != nil {
			t.Fatal(err)
		}
		d.token = "token"
		for _, name := range []string{stdoutFile, stderrFile, pidFile, offsetFile, "script.sh"} {
			if err := os.WriteFile(filepath.Join(d.path, name), []byte(`{"task_id": "t"}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	d := used()
	open, err := os.Open(filepath.Join(d.path, stderrFile))
	if err != nil {
		t.Fatal(err)
	}
	closeOutput(t, d)
	if r.spare(d) {
		t.Error("a directory whose output is open is to be used again")
	}
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
	lived := used()
	lived.lived = true
	closeOutput(t, lived)
	if r.spare(lived) {
		t.Error("a directory that the script worked in is to be used again")
	}
	d = used()
	closeOutput(t, d)
	if !r.spare(d) {
		t.Skip("this system doesn't tell whether a file is in use")
	}
	again, err := r.newRunDir("script.sh")
	if err != nil {
		t.Fatal(err)
	}
	if again.path == d.path || again.record() != (pidRecord{}) {
		t.Errorf("%s is used again with the record %+v", d.path, again.record())
	}
	if _, err := os.Stat(d.path); err == nil {
		t.Error("it is under its old name, too")
	}
	left, err := os.ReadDir(again.path)
	if err != nil || len(left) != 3 {
		t.Errorf("%v; left: %v", err, left)
	}
	for _, name := range []string{stdoutFile, stderrFile} {
		if info, err := os.Stat(filepath.Join(again.path, name)); err != nil || info.Size() != 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if err := os.RemoveAll(again.path); err != nil {
		t.Error(err)
	}
	dead := filepath.Join(r.sparesDir(), "1-1-dead")
	if err := os.Mkdir(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.removeLeftSpares(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dead); err == nil {
		t.Error("what a dead manager left is still there")
	}
}

// closeOutput ends the output of a run.
func closeOutput(t *testing.T, d *runDir) {
	t.Helper()
	out, err := newOutput(d.path, process{}, OutputLimits{}, newBuffers(), nil)
	if err != nil {
		t.Fatal(err)
	}
	out.closeInto(d)
}

// A script that is still there as it should be is not written again. One that is
// not, whatever became of it, is.
func TestScriptsOfSpareRunDirectories(t *testing.T) {
	t.Parallel()
	const text = "#!/bin/sh\nexit 0\n"
	for name, tc := range map[string]struct {
		meanwhile func(path string) error
		next      string // the next script's name
		text      string
		kept      bool
	}{
		"same":        {next: "a.sh", text: text, kept: true},
		"other text":  {next: "a.sh", text: "#!/bin/sh\nexit 1\n"},
		"other name":  {next: "b.sh", text: text},
		"gone":        {next: "a.sh", text: text, meanwhile: os.Remove},
		"not runable": {next: "a.sh", text: text, meanwhile: func(path string) error { return os.Chmod(path, 0o644) }},
		"changed":     {next: "a.sh", text: text, meanwhile: func(path string) error { return os.WriteFile(path, []byte("#!/bin/sh\nexit 7\n"), 0o755) }},
		"a link": {next: "a.sh", text: text, meanwhile: func(path string) error {
			return errors.Join(os.Rename(path, path+".moved"), os.Symlink(path+".moved", path))
		}},
		"linked": {next: "a.sh", text: text, meanwhile: func(path string) error { return os.Link(path, filepath.Dir(path)+"/../linked") }},
		"a directory": {next: "a.sh", text: text, meanwhile: func(path string) error {
			return errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "deep"), 0o755))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &Runner{cfg: Config{Root: t.TempDir()}, prefix: child.OwnPrefix()}
			for _, dir := range []string{r.runsDir(), r.sparesDir()} {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			first, err := r.newRunDir("a.sh")
			if err != nil {
				t.Fatal(err)
			}
			path, err := first.writeScript("a.sh", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			long := time.Now().Add(-time.Hour).Truncate(time.Second)
			if err := os.Chtimes(path, long, long); err != nil {
				t.Fatal(err)
			}
			if tc.meanwhile != nil {
				if err := tc.meanwhile(path); err != nil {
					t.Fatal(err)
				}
			}
			closeOutput(t, first)
			if first.token = "token"; !r.spare(first) {
				t.Skip("this system doesn't tell whether a file is in use")
			}
			second, err := r.newRunDir(tc.next)
			if err != nil {
				t.Fatal(err)
			}
			if path, err = second.writeScript(tc.next, []byte(tc.text)); err != nil {
				t.Fatal(err)
			}
			after, err := os.Lstat(path)
			if err != nil || after.Mode() != 0o755 {
				t.Fatalf("%v, %v", after, err)
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != tc.text {
				t.Errorf("the script is %q, %v", data, err)
			}
			if after.ModTime().Equal(long) != tc.kept {
				t.Errorf("it was kept: %t", !tc.kept)
			}
			if left, err := os.ReadDir(second.path); err != nil || len(left) != 3 {
				t.Errorf("%v; left: %v", err, left)
			}
		})
	}
}
