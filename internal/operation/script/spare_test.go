package script

import (
	"os"
	"path/filepath"
	"testing"
)

// What was used is used again, empty; what somebody has open is not.
func TestSpareRunDirectories(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	r := &Runner{cfg: Config{Root: root}, prefix: ownPrefix()}
	for _, dir := range []string{r.runsDir(), r.sparesDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	used := func() *runDir {
		d, err := r.newRunDir()
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
	if r.spare(d) {
		t.Error("a directory whose output is open is to be used again")
	}
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
	lived := used()
	lived.lived = true
	if r.spare(lived) {
		t.Error("a directory that the script worked in is to be used again")
	}
	d = used()
	if !r.spare(d) {
		t.Skip("this system doesn't tell whether a file is in use")
	}
	again, err := r.newRunDir()
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
