package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"windlass/internal/access"
	"windlass/internal/execution"
	"windlass/internal/store"
	"windlass/internal/store/postgres"
	"windlass/internal/store/sqlite"
	"windlass/internal/store/storetest"
)

// made is when everything in these tests happens.
var made = time.Date(2026, 5, 1, 10, 20, 30, 0, time.UTC)

// manager is what of a manager has to do with snapshots, with a store and
// running executions.
type manager struct {
	*Service
	t       *testing.T
	store   store.Store
	access  *access.Service
	running *execution.Service
	dir     string
}

// databases open empty stores.
var databases = map[string]func(t *testing.T) store.Store{
	"sqlite": func(t *testing.T) store.Store {
		return opened(t, func() (store.Store, error) {
			return sqlite.Open(t.Context(), storetest.SQLiteFile(t, filepath.Join(t.TempDir(), "windlass.db")))
		})
	},
	"postgres": func(t *testing.T) store.Store {
		address := storetest.PostgresDatabase(t)
		return opened(t, func() (store.Store, error) { return postgres.Open(t.Context(), address) })
	},
}

func opened(t *testing.T, open func() (store.Store, error)) store.Store {
	t.Helper()
	st, err := open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return st
}

// newManager makes a manager whose master key is made of one digit.
func newManager(t *testing.T, st store.Store, digit string) *manager {
	t.Helper()
	keys, err := access.NewKeyring(strings.Repeat(digit, 64))
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{t: t, store: st, dir: t.TempDir()}
	if m.access, err = access.New(access.Config{Store: st, Keys: keys}); err != nil {
		t.Fatal(err)
	}
	m.Service, err = New(Config{
		Store: st, Keys: m.access, TempDir: filepath.Join(m.dir, "snapshots"), Version: "test", Now: func() time.Time { return made },
		Folders: map[string]string{"deployments": filepath.Join(m.dir, "deployments"), "resources": filepath.Join(m.dir, "resources")},
	})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	m.running, err = execution.New(execution.Config{
		// The samples are not so old that they would be removed.
		Clock: store.NewTestClock(func() time.Time { return made.Add(time.Since(begun)) }),
		Store: st, ManagerName: "m", Alone: st.Dialect() == "sqlite", SystemWorkflows: m.SystemWorkflows(),
		// It looks by itself so rarely that what is stored as queued stays so while it is filled.
		Timing: execution.Timing{Lease: 30 * time.Second, Renew: 50 * time.Millisecond, Poll: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Start = m.running
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.running.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return m
}

func (m *manager) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *manager) owner() store.Owned {
	return store.Owned{Tenant: access.DefaultTenant, Visibility: store.Tenants, CreatedBy: "admin", CreatedAt: made}
}

// fill gives the manager something of everything, with a secret that says x.
func (m *manager) fill() {
	m.t.Helper()
	_, err := storetest.Fill(m.t.Context(), m.store)
	m.must(err)
	sec := store.Secret{Owned: m.owner(), Key: "password"}
	m.must(m.access.SealSecret(&sec, "x"))
	m.must(m.store.Write(m.t.Context(), func(tx store.Tx) error {
		if err := tx.UpdateSecret(m.t.Context(), m.sealed("a", "k", "y")); err != nil { // the sample's opens nowhere
			return err
		}
		if err := tx.PutSetting(m.t.Context(), store.Setting{Scope: "rest", Name: "max_concurrent_workflows", Value: int64(0)}); err != nil {
			return err // so that what is queued stays so
		}
		return tx.AddSecret(m.t.Context(), sec)
	}))
	// What storetest leaves active would be in the way.
	page, err := m.store.ListExecutions(m.t.Context(), store.Query{})
	m.must(err)
	for i, e := range page.Items {
		if e.Status, e.IsSystemWorkflow = store.Terminated, false; i == 0 {
			e.Status = store.Queued
			e.DeploymentID = "d"
		}
		m.must(m.store.Write(m.t.Context(), func(tx store.Tx) error { return tx.UpdateExecution(m.t.Context(), e) }))
	}
	for name, content := range map[string]string{
		"deployments/a/d/state.json": "{}", "deployments/a/d/bin/run.sh": "#!/bin/sh", "resources/ünï.txt": "shared",
	} {
		file := filepath.Join(m.dir, filepath.FromSlash(name))
		m.must(os.MkdirAll(filepath.Dir(file), 0o755))
		m.must(os.WriteFile(file, []byte(content), 0o640))
	}
	m.must(os.Chmod(filepath.Join(m.dir, "deployments/a/d/bin/run.sh"), 0o750))
	m.must(os.Symlink("state.json", filepath.Join(m.dir, "deployments/a/d/now.json")))
}

func (m *manager) sealed(tenant, name, text string) store.Secret {
	sec := store.Secret{Owned: m.owner(), Key: name}
	sec.Tenant = tenant
	m.must(m.access.SealSecret(&sec, text))
	return sec
}

// ended waits for an execution.
func (m *manager) ended(e store.Execution, err error) store.Execution {
	m.t.Helper()
	m.must(err)
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	e, err = m.running.Wait(ctx, e.ID)
	m.must(err)
	return e
}

func (m *manager) succeeded(e store.Execution, err error) {
	m.t.Helper()
	if e = m.ended(e, err); e.Status != store.Terminated {
		m.t.Fatalf("%s is %s: %s", e.WorkflowID, e.Status, *e.Error)
	}
}

func (m *manager) creation(id string) Creation {
	return Creation{ID: id, Owner: m.owner(), Keys: true, Events: true, Logs: true}
}

// make makes a snapshot and downloads it.
func (m *manager) download(c Creation) []byte {
	m.t.Helper()
	m.succeeded(m.Create(m.t.Context(), c))
	content, err := m.Download(m.t.Context(), c.ID)
	m.must(err)
	data, err := io.ReadAll(content)
	m.must(err)
	m.must(content.Close())
	return data
}

func (m *manager) upload(id string, archive []byte) {
	m.t.Helper()
	snap, err := m.Upload(m.t.Context(), id, m.owner(), bytes.NewReader(archive))
	m.must(err)
	if snap.Status != store.SnapshotUploaded || snap.Size == 0 {
		m.t.Fatalf("uploaded %+v", snap)
	}
}

func (m *manager) restoration(id string, force bool) Restoration {
	return Restoration{ID: id, Tenant: access.DefaultTenant, CreatedBy: "admin", Force: force}
}

// rows are all rows but of what a restoration itself makes, as text. What is
// sealed is left out: it differs.
func (m *manager) rows() map[string][]string {
	m.t.Helper()
	all := map[string][]string{}
	m.must(m.store.Freeze(m.t.Context(), func(v store.View) error {
		own := map[any]bool{} // executions about snapshots
		for _, t := range m.store.Tables() {
			num, reference, workflow, sealed := t.Column("num"), t.Column("execution_num"), t.Column("workflow_id"), t.Column("sealed")
			graph := t.Column("graph_num")
			err := v.EachRow(m.t.Context(), t.Name, func(row []any) error {
				if t.Name == "executions" && (row[workflow] == WorkflowRestore || row[workflow] == WorkflowCreate) {
					own[row[num]] = true
				}
				for _, at := range []int{num, reference} {
					if at >= 0 && t.Name != "graphs" && own[row[at]] {
						return nil
					}
				}
				var cells []string
				for i, c := range row {
					if i != num && i != reference && i != sealed && i != graph {
						cells = append(cells, fmt.Sprintf("%s=%#v", t.Columns[i].Name, c))
					}
				}
				all[t.Name] = append(all[t.Name], strings.Join(cells, " "))
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	return all
}

func (m *manager) files() map[string]string {
	m.t.Helper()
	found := map[string]string{}
	for _, folder := range []string{"deployments", "resources"} {
		m.must(filepath.Walk(filepath.Join(m.dir, folder), func(name string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}
			short, err := filepath.Rel(m.dir, name)
			if err != nil {
				return err
			}
			if info.Mode()&os.ModeSymlink != 0 {
				target, err := os.Readlink(name)
				found[short] = "-> " + target
				return err
			}
			content, err := os.ReadFile(name)
			found[short] = fmt.Sprintf("%o %s", info.Mode().Perm(), content)
			return err
		}))
	}
	return found
}
