package python_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"windlass/internal/operation/python"
)

// A plugin that doesn't bring what the original's workers have finds it where its
// virtualenv's interpreter has it; what it brings is its own, and the rest hidden.
func TestOfferedModules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		file := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), interpreter(), "-m", "venv", "--without-pip", filepath.Join(dir, "venv")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	write("base/yaml/__init__.py", "from yaml import part\n")
	write("base/yaml/part.py", "whose = 'offered'\n")
	write("base/six.py", "whose = 'offered'\n")
	write("base/stranger.py", "")
	write("plugin/six.py", "whose = 'own'\n")
	write("plugin/ops.py", `
import importlib.util
import six
import yaml

def use(**_):
    return [yaml.part.whose, six.whose, importlib.util.find_spec('stranger') is None, importlib.util.find_spec('retrying') is None]
`)
	write("plugin/lacks.py", "import retrying\n")
	note, err := json.Marshal([]string{filepath.Join(dir, "absent"), filepath.Join(dir, "base")})
	if err != nil {
		t.Fatal(err)
	}
	write("venv/"+python.OffersNote, string(note))
	r := newRunner(t, func(c *python.Config) {
		c.Environments = environments{Key: "offers", Python: filepath.Join(dir, "venv", "bin", "python"), Path: []string{filepath.Join(dir, "plugin")}}
	})
	result, _, err := run(t, r, "use", nil)
	if list, _ := result.([]any); err != nil || len(list) != 4 || list[0] != "offered" || list[1] != "own" || list[2] != true || list[3] != true {
		t.Errorf("%v, %v", result, err)
	}
	req := request(t, "", nil)
	req.Implementation = "lacks.anything"
	_, err = r.Run(within(t, time.Minute), req, newHost())
	if e := operationError(t, err); !strings.Contains(e.Message, "does not bring retrying") || !strings.Contains(e.Message, "install_requires") {
		t.Errorf("%+v", e)
	}
}
