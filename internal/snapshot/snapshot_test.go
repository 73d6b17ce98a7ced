package snapshot

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/access"
	"windlass/internal/execution"
	"windlass/internal/store"
)

// TestThereAndBack restores a snapshot from each kind of database into each.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	for from, openFrom := range databases {
		for to, openTo := range databases {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				old := newManager(t, openFrom(t), "1")
				old.fill()
				archive := old.download(old.creation("s"))
				want := old.rows()
				fresh := newManager(t, openTo(t), "2")
				fresh.upload("copy", archive)
				fresh.succeeded(fresh.Restore(t.Context(), fresh.restoration("copy", false)))
				got := fresh.rows()
				compareExecutions(t, settledCopy(want), got)
				delete(want, "executions")
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-old +restored)\n%s", diff)
				}
				if diff := cmp.Diff(old.files(), fresh.files()); diff != "" {
					t.Errorf("files (-old +restored)\n%s", diff)
				}
				for name, want := range map[[2]string]string{{access.DefaultTenant, "password"}: "x", {"a", "k"}: "y"} {
					v, err := fresh.access.Secret(t.Context(), name[0], name[1])
					if err != nil || v != want {
						t.Errorf("the secret %v is %v, %v", name, v, err)
					}
				}
				content, err := fresh.store.OpenBlob(t.Context(), blobOf(t, old.store))
				fresh.must(err)
				data, err := io.ReadAll(content)
				fresh.must(err)
				if len(data) != 1_600_000 {
					t.Errorf("the blob has %d bytes", len(data))
				}
				// And on from there.
				fresh.succeeded(fresh.Create(t.Context(), fresh.creation("again")))
				page, err := fresh.store.ListSnapshots(t.Context(), store.Query{})
				fresh.must(err)
				if page.Total != 2 {
					t.Errorf("%d snapshots, want those two that are its own", page.Total)
				}
			})
		}
	}
}

// compareExecutions compares what restoring changes of executions, and takes it
// out of both.
func compareExecutions(t *testing.T, want, got map[string][]string) {
	t.Helper()
	cut := func(rows []string) (heads []string) {
		for _, row := range rows {
			head, _, _ := strings.Cut(row, " started_at=")
			heads = append(heads, strings.Replace(head, "is_active=true", "is_active=false", 1))
		}
		return heads
	}
	if diff := cmp.Diff(cut(want["executions"]), cut(got["executions"])); diff != "" {
		t.Errorf("executions (-old +restored)\n%s", diff)
	}
	delete(want, "executions")
	delete(got, "executions")
}

func blobOf(t *testing.T, st store.Store) (hash string) {
	t.Helper()
	if err := st.Freeze(t.Context(), func(v store.View) error {
		all, err := v.ListBlobs(t.Context())
		hash = all[0]
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestRestoredExecutionsEnd(t *testing.T) {
	t.Parallel()
	old := newManager(t, databases["sqlite"](t), "1")
	old.fill()
	archive := old.download(old.creation("s"))
	fresh := newManager(t, databases["sqlite"](t), "1")
	fresh.upload("copy", archive)
	fresh.succeeded(fresh.Restore(t.Context(), fresh.restoration("copy", false)))
	page, err := fresh.store.ListExecutions(t.Context(), store.Query{})
	fresh.must(err)
	for _, e := range page.Items {
		switch {
		case !e.Status.IsEnd():
			t.Errorf("%s (%s) is %s", e.ID, e.WorkflowID, e.Status)
		case e.WorkflowID == WorkflowCreate && e.Status != store.Terminated:
			t.Errorf("the execution that made the snapshot is %s", e.Status)
		case e.Status == store.Failed && !strings.Contains(*e.Error, "cfy executions resume"):
			t.Errorf("%s failed and says %q", e.ID, *e.Error)
		}
	}
}

func TestRestoringReplaces(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManager(t, open(t), "1")
			m.fill()
			m.succeeded(m.Create(t.Context(), m.creation("s")))
			before, files := m.rows(), m.files()
			_, err := m.Restore(t.Context(), m.restoration("s", false))
			var refused *Error
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), "blueprints: 1, deployments: 1, secrets: 2") {
				t.Fatalf("restoring into a manager that is not empty: %v", err)
			}
			m.must(m.store.Write(t.Context(), func(tx store.Tx) error {
				if err := tx.AddTenant(t.Context(), store.Tenant{Name: "later", CreatedAt: made}); err != nil {
					return err
				}
				return tx.DeleteDeployment(t.Context(), "a", "d")
			}))
			m.must(os.RemoveAll(filepath.Join(m.dir, "deployments")))
			m.succeeded(m.Restore(t.Context(), m.restoration("s", true)))
			after := m.rows()
			compareExecutions(t, settledCopy(before), after)
			delete(before, "executions")
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("(-before +after)\n%s", diff)
			}
			if diff := cmp.Diff(files, m.files()); diff != "" {
				t.Errorf("files (-before +after)\n%s", diff)
			}
			snap, err := m.Get(t.Context(), "s")
			m.must(err)
			if snap.Status != store.SnapshotCreated || snap.RestoredBy == "" {
				t.Errorf("the snapshot is now %+v", snap)
			}
		})
	}
}

// settledCopy is what restoring makes of executions.
func settledCopy(rows map[string][]string) map[string][]string {
	all := map[string][]string{}
	for _, row := range rows["executions"] {
		all["executions"] = append(all["executions"], strings.Replace(row, `status="queued"`, `status="failed"`, 1))
	}
	return all
}

// TestNothingIsLostByABadArchive tries archives whose rows contradict each
// other, which only the database finds out.
func TestNothingIsLostByABadArchive(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManager(t, open(t), "1")
			m.fill()
			archive := m.download(m.creation("s"))
			before, files := m.rows(), m.files()
			twice := rewritten(t, archive, func(name string, content []byte) (string, []byte) {
				if name == tableFile("tenants") {
					content = append(content, content...)
				}
				return name, content
			}, func(m *Manifest) { m.Tables[0].Rows *= 2 })
			m.upload("twice", twice)
			e := m.ended(m.Restore(t.Context(), m.restoration("twice", true)))
			if e.Status != store.Failed || !strings.Contains(*e.Error, "two rows have the same key") {
				t.Fatalf("%s: %s", e.Status, *e.Error)
			}
			if diff := cmp.Diff(before, m.rows()); diff != "" {
				t.Errorf("(-before +after)\n%s", diff)
			}
			if diff := cmp.Diff(files, m.files()); diff != "" {
				t.Errorf("files (-before +after)\n%s", diff)
			}
		})
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	m := newManager(t, databases["sqlite"](t), "1")
	m.fill()
	for _, one := range []struct {
		id           string
		events, logs bool
		want         int
	}{{"all", true, true, 9}, {"no-logs", true, false, 6}, {"no-events", false, true, 3}, {"neither", false, false, 0}} {
		c := m.creation(one.id)
		c.Events, c.Logs = one.events, one.logs
		archive := m.download(c)
		fresh := newManager(t, databases["sqlite"](t), "1")
		fresh.upload("s", archive)
		fresh.succeeded(fresh.Restore(t.Context(), fresh.restoration("s", false)))
		page, err := fresh.store.ListEvents(t.Context(), store.Query{Filters: []store.Filter{{Field: "execution_id", Values: []string{"e0", "e1", "e2"}}}})
		m.must(err)
		if page.Total != one.want || len(page.Items) != one.want {
			t.Errorf("%s: %d of %d events, want %d", one.id, len(page.Items), page.Total, one.want)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	m := newManager(t, databases["sqlite"](t), "1")
	m.fill()
	c := m.creation("bare")
	c.Keys = false
	bare, full := m.download(c), m.download(m.creation("full"))
	key := strings.Repeat("1", 64)
	if a := read(t, full, m.store.Tables()); !strings.Contains(a.keys, key) {
		t.Errorf("the archive's keys are %q", a.keys)
	}
	if a := read(t, bare, m.store.Tables()); a.keys != "" {
		t.Error("the archive has keys that were not asked for")
	}
	snap, err := m.Get(t.Context(), "full")
	m.must(err)
	f, err := m.fetch(t.Context(), snap)
	m.must(err)
	defer discard(f)
	inside, err := os.ReadFile(f.Name())
	m.must(err)
	if a := read(t, inside, m.store.Tables()); a.keys != "" {
		t.Error("the keys are stored beside the secrets that they open")
	}
	stranger := newManager(t, databases["sqlite"](t), "2")
	stranger.upload("s", bare)
	e := stranger.ended(stranger.Restore(t.Context(), stranger.restoration("s", false)))
	if e.Status != store.Failed || !strings.Contains(*e.Error, "can't be opened here") {
		t.Errorf("restoring without the keys: %s: %s", e.Status, *e.Error)
	}
	if page, err := stranger.store.ListBlueprints(t.Context(), store.Query{}); err != nil || page.Total != 0 {
		t.Errorf("%d blueprints, %v", page.Total, err)
	}
	friend := newManager(t, databases["sqlite"](t), "1")
	friend.upload("s", bare)
	friend.succeeded(friend.Restore(t.Context(), friend.restoration("s", false)))
}

// TestCutShort lets a restoration run again that had all but ended.
func TestCutShort(t *testing.T) {
	t.Parallel()
	m := newManager(t, databases["sqlite"](t), "1")
	m.fill()
	m.succeeded(m.Create(t.Context(), m.creation("s")))
	files := m.files()
	e := m.ended(m.Restore(t.Context(), m.restoration("s", true)))
	m.must(os.RemoveAll(filepath.Join(m.dir, "resources"))) // as if it had not come so far
	m.must(m.store.Write(t.Context(), func(tx store.Tx) error {
		return tx.AddTenant(t.Context(), store.Tenant{Name: "since", CreatedAt: made})
	}))
	_, err := m.running.Resume(t.Context(), "", e.ID, false)
	var refusal *execution.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("resuming what has ended: %v", err)
	}
	e.Status = store.Pending
	m.must(m.store.Write(t.Context(), func(tx store.Tx) error { return tx.UpdateExecution(t.Context(), e) }))
	m.succeeded(e, nil)
	if _, err := m.store.GetTenant(t.Context(), "since"); err != nil {
		t.Errorf("what was done since is lost: %v", err)
	}
	if diff := cmp.Diff(files, m.files()); diff != "" {
		t.Errorf("files (-want +got)\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	m := newManager(t, databases["sqlite"](t), "1")
	m.succeeded(m.Create(t.Context(), m.creation("s")))
	for what, err := range map[string]error{
		"the same again":   second(m.Create(t.Context(), m.creation("s"))),
		"upload over it":   second(m.Upload(t.Context(), "s", m.owner(), bytes.NewReader(m.download(m.creation("other"))))),
		"restore nothing":  second(m.Restore(t.Context(), m.restoration("nothing", true))),
		"delete nothing":   second(m.Delete(t.Context(), "nothing")),
		"download nothing": second(m.Download(t.Context(), "nothing")),
		"no archive":       second(m.Upload(t.Context(), "x", m.owner(), strings.NewReader("what?"))),
		"a status":         m.SetStatus(t.Context(), "s", "perfect", ""),
	} {
		want := map[string]error{
			"the same again": store.ErrExists, "upload over it": store.ErrExists, "restore nothing": store.ErrNotFound,
			"delete nothing": store.ErrNotFound, "download nothing": store.ErrNotFound,
		}[what]
		var refused *Error
		if want != nil && !errors.Is(err, want) || want == nil && !errors.As(err, &refused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	m.must(m.SetStatus(t.Context(), "s", store.SnapshotFailed, "it is bad"))
	for what, err := range map[string]error{
		"restore":  second(m.Restore(t.Context(), m.restoration("s", true))),
		"download": second(m.Download(t.Context(), "s")),
	} {
		if err == nil || !strings.Contains(err.Error(), "it is failed") {
			t.Errorf("%s what failed: %v", what, err)
		}
	}
	_, err := m.Delete(t.Context(), "s")
	m.must(err)
	if left, err := m.store.SnapshotChunk(t.Context(), "s", 0); err != nil || left != nil {
		t.Errorf("the archive is still there: %d bytes, %v", len(left), err)
	}
	if names, err := os.ReadDir(m.TempDir); err != nil || len(names) > 0 {
		t.Errorf("temporary files are left: %v, %v", names, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestUnfinished(t *testing.T) {
	t.Parallel()
	m := newManager(t, databases["sqlite"](t), "1")
	text := "the disk is full"
	e := store.Execution{Owned: m.owner(), ID: "e", WorkflowID: WorkflowCreate, Status: store.Failed, Error: &text}
	m.must(m.store.Write(t.Context(), func(tx store.Tx) error {
		if err := tx.AddExecution(t.Context(), e); err != nil {
			return err
		}
		for _, one := range []store.Snapshot{{ID: "s", ExecutionID: "e"}, {ID: "orphan", ExecutionID: "gone"}} {
			one.Owned, one.Status = m.owner(), store.SnapshotCreating
			if err := tx.AddSnapshot(t.Context(), one); err != nil {
				return err
			}
		}
		return nil
	}))
	for id, want := range map[string]string{"s": text, "orphan": "its execution was deleted"} {
		snap, err := m.Get(t.Context(), id)
		m.must(err)
		if snap.Status != store.SnapshotFailed || snap.Error != want {
			t.Errorf("%s is %s: %s", id, snap.Status, snap.Error)
		}
	}
}
