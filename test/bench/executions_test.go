package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"windlass/internal/store/storetest"
)

const idle = `tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  one: {type: cloudify.nodes.Root}
`

// BenchmarkExecutions asks the real binary for b.N executions over HTTP, of a
// workflow that does nothing, by 16 clients; those that can't start at once are
// queued. It reports how many a second come to their end.
func BenchmarkExecutions(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { executions(b, startManager(b)) })
	if os.Getenv("WINDLASS_TEST_POSTGRES") != "" {
		b.Run("postgres", func(b *testing.B) { executions(b, startManager(b, "--database", storetest.PostgresDatabase(b))) })
	}
}

func executions(b *testing.B, m *manager) {
	const deployments = 50
	dir := filepath.Join(m.home, "idle")
	write(b, filepath.Join(dir, "blueprint.yaml"), idle, 0o644)
	m.run(b, "blueprints", "upload", dir, "-b", "idle")
	m.each(b, deployments, func(i int) error {
		return m.ask(http.MethodPut, fmt.Sprint("/deployments/d", i), map[string]any{"blueprint_id": "idle"}, nil)
	})
	b.ResetTimer()
	m.each(b, b.N, func(i int) error {
		return m.ask(http.MethodPost, "/executions", map[string]any{
			"deployment_id": fmt.Sprint("d", i%deployments), "workflow_id": "execute_operation", "queue": true,
			"parameters": map[string]any{"operation": "cloudify.interfaces.lifecycle.start"},
		}, nil)
	})
	for look := time.NewTicker(20 * time.Millisecond); ; <-look.C {
		var page struct {
			Metadata struct{ Pagination struct{ Total int } }
		}
		if err := m.ask(http.MethodGet, "/executions?_size=1&_include=id&workflow_id=execute_operation&status=terminated", nil, &page); err != nil {
			b.Fatal(err)
		}
		if page.Metadata.Pagination.Total >= b.N {
			look.Stop()
			break
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
	b.ReportMetric(0, "ns/op")
}

// ask makes a request of the manager.
func (m *manager) ask(method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, "http://"+m.address+"/api/v3.1"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	log, err := os.ReadFile(filepath.Join(m.home, "log"))
	if err != nil {
		return err
	}
	_, password, _ := strings.Cut(string(log), "password:")
	req.SetBasicAuth("admin", strings.Fields(password + " none")[0])
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Tenant", "default_tenant")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, data)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(data, answer)
}
