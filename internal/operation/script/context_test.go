package script_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"windlass/internal/operation"
	"windlass/internal/operation/script"
)

func TestRendering(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Nodes["web"] = operation.Node{ID: "web", Type: "t", Properties: map[string]any{"port": int64(80)}}
	host.Resources["app.conf"] = "port={{ ctx.node.properties.port }}\nname={{ name }}\nlocal={{ ctx.instance.runtime_properties.unsaved }}\n"
	host.Resources["plain.conf"] = "nothing to do\n"
	host.Resources["bad.conf"] = "{{ 1 / 0 }}"
	host.Resources["s.sh"] = `set -e
ctx instance runtime-properties unsaved yes
path=$(ctx download-resource-and-render app.conf @'{"template_variables": {"name": "ü"}}')
cat "$path"; echo
again=$(ctx download-resource plain.conf)
ctx download-resource-and-render plain.conf "$PWD/sub.conf"; echo
cat sub.conf
ctx get-resource-and-render app.conf @'{"template_variables": {"name": "x"}}'; echo
ctx get-resource-and-render bad.conf || echo failed
ctx get-resource-and-render app.conf @'{"template_variables": {"ctx": "x"}}' || echo failed
dir=$(ctx download-directory conf.d); cat $dir/a $dir/sub/b
`
	host.Resources["conf.d/a"], host.Resources["conf.d/sub/b"] = "A\n", "B\n"
	req := request(t, map[string]any{"script_path": "s.sh"})
	_, err := newRunner(t, nil).Run(t.Context(), req, host)
	mustSucceed(t, err, host)
	want := strings.Join([]string{
		"port=80", "name=ü", "local=yes", req.WorkDir + "/sub.conf", "nothing to do", "port=80", "name=x", "local=yes",
		"failed", "failed", "A", "B",
	}, "\n")
	if got := join(host.Output("<out> ")); got != want {
		t.Errorf("%s", got)
	}
	errs := join(host.Output("<err> "))
	if !strings.Contains(errs, "ZeroDivisionError: render bad.conf: division by zero") || !strings.Contains(errs, "Key not allowed") {
		t.Errorf("%s", errs)
	}
}

func TestRenderingWithoutJinja(t *testing.T) {
	t.Parallel()
	// An interpreter that is Python but for Jinja2.
	fake := filepath.Join(t.TempDir(), "python3")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\nexec "+python()+" -S \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	host := newHost()
	host.Resources["app.conf"] = "{{ name }}"
	r := newRunner(t, func(c *script.Config) { c.Python = fake })
	_, err := r.Run(t.Context(), request(t, map[string]any{"script_source": "#!/bin/sh\nctx get-resource-and-render app.conf"}), host)
	if e := operationError(t, err); !strings.Contains(e.Message, "install python3-jinja2") {
		t.Errorf("%v", e)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Resources["s.sh"] = "#!/bin/bash\nctx instance runtime-properties \"key$N\" \"$N\" || exit 1\necho done $N\nctx returns $N\n"
	r := newRunner(t, nil)
	var wg sync.WaitGroup
	const operations = 50
	for n := range operations {
		wg.Go(func() {
			got, err := r.Run(t.Context(), request(t, map[string]any{"script_path": "s.sh", "N": int64(n)}), host)
			if err != nil || got != fmt.Sprint(n) {
				t.Errorf("%d: %v %v", n, got, err)
			}
		})
	}
	wg.Wait()
	if got := len(host.Runtime("web_1")); got != operations+1 {
		t.Errorf("%d properties of %d: some were lost", got, operations+1)
	}
	if got := len(host.Output("<out> done")); got != operations {
		t.Errorf("%d lines of %d", got, operations)
	}
}

func TestManyCallsAtOnceInOneScript(t *testing.T) {
	t.Parallel()
	_, host, err := run(t, "s.sh", "for i in $(seq 1 30); do ctx instance runtime-properties many.k$i $i & done; wait\n", nil)
	mustSucceed(t, err, host)
	many, _ := host.Runtime("web_1")["many"].(map[string]any)
	if len(many) != 30 {
		t.Errorf("%d of 30", len(many))
	}
}

// A background process may outlive its operation; then its context is gone,
// and it hears so.
func TestTheContextEndsWithTheOperation(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Resources["s.sh"] = "(while [ ! -e go ]; do sleep 0.02; done; ctx instance runtime-properties late yes 2> answer; mv answer done) &\n"
	req := request(t, map[string]any{"script_path": "s.sh"})
	r := newRunner(t, nil)
	_, err := r.Run(t.Context(), req, host)
	mustSucceed(t, err, host)
	if err := os.WriteFile(filepath.Join(req.WorkDir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	answer := filepath.Join(req.WorkDir, "done")
	eventually(t, "the late answer", func() bool { _, err := os.Stat(answer); return err == nil })
	data, err := os.ReadFile(answer)
	if err != nil || !strings.Contains(string(data), "NotInContext: no operation runs under this CTX_SOCKET_URL") {
		t.Errorf("%s %v", data, err)
	}
	if _, late := host.Runtime("web_1")["late"]; late {
		t.Error("a write after the end was stored")
	}
}

func TestDownloadsStayButDoNotPileUp(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Resources["a.conf"] = "A"
	host.Resources["s.sh"] = "ctx download-resource a.conf; echo; ctx download-resource a.conf; echo"
	req := request(t, map[string]any{"script_path": "s.sh"})
	r := newRunner(t, nil)
	for range 2 {
		_, err := r.Run(t.Context(), req, host)
		mustSucceed(t, err, host)
	}
	paths := host.Output("<out> ")
	if len(paths) != 4 || paths[0] == paths[1] || paths[0] != paths[2] || paths[1] != paths[3] {
		t.Fatalf("%q", paths)
	}
	if data, err := os.ReadFile(paths[0]); err != nil || string(data) != "A" {
		t.Errorf("%q %v", data, err)
	}
}
