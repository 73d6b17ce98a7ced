package crash

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDatabaseComesAndGoes takes the database away from a manager while it runs
// scripts that may not be tried again: all connections break, and for a while
// there are no new ones. Nothing may fail of that, nor be lost, nor done again
// after it was recorded.
func TestDatabaseComesAndGoes(t *testing.T) {
	t.Parallel()
	server := os.Getenv("WINDLASS_TEST_POSTGRES")
	if server == "" {
		t.Skip("WINDLASS_TEST_POSTGRES is not set: run `make test`")
	}
	database := freshDatabase(t, server)
	name := database[strings.LastIndex(database, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	m := newManager(t, "--database", database)
	dir := filepath.Join(m.home, "bp")
	once := strings.ReplaceAll(blueprint, "executor: central_deployment_agent,", "executor: central_deployment_agent, max_retries: 0,")
	write(t, filepath.Join(dir, "blueprint.yaml"), once, 0o644)
	write(t, filepath.Join(dir, "step.sh"), strings.Replace(step, "sleep 0.02", "sleep 0.3", 1), 0o755)
	m.start()
	m.must("blueprints", "upload", dir, "-b", "bp")
	record := filepath.Join(m.home, "record")
	m.must("deployments", "create", "d", "-b", "bp", "-i", "record="+record)
	for _, w := range []workflow{install, uninstall} {
		if err := os.RemoveAll(record); err != nil {
			t.Fatal(err)
		}
		_, _ = m.cfyOut("executions", "start", w.name, "-d", "d", "--timeout", "0")
		id := m.newest("d", w.name)
		away := []time.Duration{0, 100 * time.Millisecond, 2 * time.Second}
		for _, pause := range away {
			idle(300 * time.Millisecond) // some scripts begin
			disconnect(t, server, name, pause)
		}
		if r := m.waitEnd(id); r.Status != "terminated" && r.Status != "completed" {
			t.Fatalf("%s ended %s: %s", w.name, r.Status, r.Error)
		}
		w.checkRecord(t, record, len(away), m.done(id, instances*len(w.operations)), false)
	}
}

// disconnect breaks all connections to the database, and lets nobody in again for
// a while.
func disconnect(t *testing.T, server, database string, away time.Duration) {
	t.Helper()
	allow := func(yes bool) string {
		return fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS %t", database, yes)
	}
	psql(t, server, allow(false))
	psql(t, server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+database+"'")
	idle(away)
	psql(t, server, allow(true))
}

func psql(t *testing.T, server, statement string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "psql", server, "-qc", statement).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", statement, err, out)
	}
}

func idle(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}
