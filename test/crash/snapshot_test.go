package crash

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"windlass/internal/store/storetest"
)

const plain = `tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  one: {type: cloudify.nodes.Root}
`

// How much there is to copy, and how often the manager is killed in the middle
// of making a snapshot, and of restoring one.
const (
	copied        = 200
	snapshotKills = 6
)

func TestKillInTheMiddleOfSnapshotsOnSQLite(t *testing.T) {
	t.Parallel()
	killSnapshots(t, newManager(t))
}

func TestKillInTheMiddleOfSnapshotsOnPostgres(t *testing.T) {
	t.Parallel()
	killSnapshots(t, newManager(t, "--database", storetest.PostgresDatabase(t)))
}

// killSnapshots kills a manager while it makes snapshots and while it restores
// one. A snapshot is there as a whole or has failed; a restored manager is as it
// was before or as the snapshot is; and the manager goes on working.
func killSnapshots(t *testing.T, m *manager) {
	dir := filepath.Join(m.home, "plain")
	write(t, filepath.Join(dir, "blueprint.yaml"), plain, 0o644)
	m.start()
	c := m.client()
	m.must("blueprints", "upload", dir, "-b", "plain")
	c.each(10, func(i int) error {
		return c.do(http.MethodPut, fmt.Sprintf("/deployments/d%d", i), map[string]any{"blueprint_id": "plain"}, nil)
	})
	c.each(copied, func(i int) error {
		return c.do(http.MethodPut, fmt.Sprintf("/secrets/s%d", i), map[string]any{"value": fmt.Sprint("value ", i)}, nil)
	})
	began := time.Now()
	m.must("snapshots", "create", "whole", "--wait")
	making := time.Since(began)
	c.must(c.do(http.MethodPut, "/secrets/later", map[string]any{"value": "later"}, nil))
	began = time.Now()
	m.must("snapshots", "restore", "whole", "--force", "--wait")
	restoring := time.Since(began)

	made, restored := 0, 0
	for i := range snapshotKills {
		name := fmt.Sprint("cut", i)
		var e struct{ ID string }
		c.must(c.do(http.MethodPut, "/snapshots/"+name, map[string]any{"include_credentials": true, "legacy": false}, &e))
		m.killAfter(rand.N(making))
		if r := m.waitEnd(e.ID); m.checkSnapshot(name, r) {
			made++
		}
	}
	for range snapshotKills {
		c.must(c.do(http.MethodPut, "/secrets/later", map[string]any{"value": "later", "update_if_exists": true}, nil))
		var e struct{ ID string }
		c.must(c.do(http.MethodPost, "/snapshots/whole/restore", map[string]any{"force": true, "recreate_deployments_envs": true}, &e))
		m.killAfter(rand.N(restoring))
		r := m.waitEnd(e.ID)
		isBack := r.Status == "terminated" || r.Status == "completed"
		if isBack {
			restored++
		}
		want := copied
		if !isBack {
			want++ // the one that is not in the snapshot
		}
		if secrets, deployments := c.total("/secrets"), c.total("/deployments"); secrets != want || deployments != 10 {
			t.Errorf("after a restore that is %s (%s) there are %d secrets and %d deployments, want %d and 10", r.Status, r.Error, secrets, deployments, want)
		}
		m.must("executions", "start", "install", "-d", "d0")
	}
	t.Logf("%d of %d snapshots were made, %d of %d restored, in spite of a kill in the middle", made, snapshotKills, restored, snapshotKills)
}

// killAfter kills the manager in a while, and starts it again.
func (m *manager) killAfter(d time.Duration) {
	m.t.Helper()
	timer := time.NewTimer(d)
	<-timer.C
	m.kill()
	m.start()
}

// checkSnapshot checks that the snapshot is there as a whole, if its execution
// says so, and tells whether it is. Either way it is removed.
func (m *manager) checkSnapshot(name string, r run) bool {
	m.t.Helper()
	isMade := r.Status == "terminated" || r.Status == "completed"
	archive := filepath.Join(m.home, name+".zip")
	_, err := m.cfyOut("snapshots", "download", name, "-o", archive)
	switch {
	case isMade && err != nil:
		m.t.Errorf("snapshot %s is made, but: %v", name, err)
	case isMade:
		m.must("snapshots", "upload", archive, "-s", name+"-copy") // which checks it
		m.must("snapshots", "delete", name+"-copy")
		if err := os.Remove(archive); err != nil {
			m.t.Error(err)
		}
	case err == nil:
		m.t.Errorf("snapshot %s is there though its execution is %s: %s", name, r.Status, r.Error)
	}
	m.must("snapshots", "delete", name)
	return isMade
}

// total counts the records of a list.
func (c *client) total(path string) int {
	c.t.Helper()
	var page struct {
		Metadata struct{ Pagination struct{ Total int } }
	}
	c.must(c.do(http.MethodGet, path+"?_size=1", nil, &page))
	return page.Metadata.Pagination.Total
}
