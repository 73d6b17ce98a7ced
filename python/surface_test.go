package python_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"windlass/python"
)

// What the original's package has for plugins and workflows is here, too, under
// the same names and with the same parameters. What its own processes make or
// call is not in the list: constructors of contexts, stored graphs, message
// queues, log files and administration of clusters.
func TestSurface(t *testing.T) {
	t.Parallel()
	root, err := python.Unpack(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/check_surface.py", "testdata/surface.txt")
	cmd.Env = append(os.Environ(), "PYTHONPATH="+root+string(os.PathListSeparator)+filepath.Join(root, "client"))
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
