package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"windlass/internal/execution"
	"windlass/internal/store"
	"windlass/internal/value"
)

// restore is the restore_snapshot execution. It may run again after a crash:
// then it finds out whether the store was replaced, and does the rest.
func (s *Service) restore(ctx context.Context, x store.Execution, h execution.SystemHost) error {
	id, _ := x.Parameters["snapshot_id"].(string)
	force, _ := x.Parameters["force"].(bool)
	snap, err := s.Store.GetSnapshot(ctx, id)
	if err != nil {
		return err
	}
	f, err := s.fetch(ctx, snap)
	if err != nil {
		return err
	}
	defer discard(f)
	a, err := open(f, snap.Size, s.Store.Tables())
	if err != nil {
		return err
	}
	r := &restoration{s: s, a: a, x: x, h: h, snap: snap, force: force}
	if snap.SealedKeys != nil {
		if r.foreign, err = s.Keys.OpenKeys(snap.SealedKeys); err != nil {
			return err
		}
	}
	return r.run(ctx)
}

// restoration is one run of restore.
type restoration struct {
	s       *Service
	a       *archive
	x       store.Execution
	h       execution.SystemHost
	snap    store.Snapshot
	force   bool
	foreign string // keys that came with the archive
}

func (r *restoration) run(ctx context.Context) error {
	if r.snap.RestoredBy != r.x.ID {
		r.h.Log("info", fmt.Sprintf("Checking snapshot %s", r.snap.ID))
		if err := r.a.check(ctx, r.checkRow); err != nil {
			return err
		}
	}
	staged, err := r.stage(ctx)
	if err != nil {
		return err
	}
	defer staged.discard()
	if r.snap.RestoredBy != r.x.ID {
		r.h.Log("info", fmt.Sprintf("Restoring snapshot %s, made at %s by version %s", r.snap.ID, r.a.manifest.MadeAt, r.a.manifest.MadeBy))
		if err := r.s.Store.Write(ctx, func(tx store.Tx) error { return r.replace(ctx, tx) }); err != nil {
			return err
		}
	}
	if err := staged.swap(); err != nil {
		return fmt.Errorf("everything is restored but the files of deployments: %w", err)
	}
	r.h.Log("info", fmt.Sprintf("Snapshot %s is restored", r.snap.ID))
	return nil
}

// checkRow finds out before anything is changed whether a secret will open.
func (r *restoration) checkRow(t *TableEntry, row []any) error {
	if t.Name != "secrets" {
		return nil
	}
	return r.reseal(t, row)
}

// reseal makes a row's secret one of this manager.
func (r *restoration) reseal(t *TableEntry, row []any) error {
	tenant, _ := t.cell(row, "tenant").(string)
	name, _ := t.cell(row, "name").(string)
	at, ok := t.places["sealed"]
	if !ok {
		return nil
	}
	sealed, _ := row[at].([]byte)
	if len(sealed) == 0 {
		return nil
	}
	sealed, err := r.s.Keys.Reseal(r.foreign, tenant, name, sealed)
	if err != nil {
		return refuse("The secret %s of tenant %s in the snapshot can't be opened here: %s. "+
			"Make the snapshot with its credentials, or add its master key to this manager's", name, tenant, err)
	}
	row[at] = sealed
	return nil
}

// replace puts the archive in the place of everything. Whatever goes wrong in
// it, or the loss of the execution's claim, undoes it as a whole.
func (r *restoration) replace(ctx context.Context, tx store.Tx) error {
	if err := checkEmpty(ctx, tx, r.force); err != nil {
		return err
	}
	if err := checkAlone(ctx, tx, r.x.ID); err != nil {
		return err
	}
	own, err := ownSettings(ctx, tx)
	if err != nil {
		return err
	}
	if err := tx.Clear(ctx, r.x.ID); err != nil {
		return err
	}
	for i := range r.a.manifest.Tables {
		if err := r.load(ctx, tx, &r.a.manifest.Tables[i]); err != nil {
			return err
		}
	}
	for _, name := range value.SortedKeys(r.a.manifest.Entries) {
		if hash, ok := strings.CutPrefix(name, blobsPrefix); ok {
			if err := r.loadBlob(ctx, tx, name, hash); err != nil {
				return err
			}
		}
	}
	if err := tx.EndLoad(ctx); err != nil {
		return err
	}
	for _, set := range own {
		if err := tx.PutSetting(ctx, set); err != nil {
			return err
		}
	}
	if err := settle(ctx, tx); err != nil {
		return err
	}
	snap := r.snap
	snap.RestoredBy = r.x.ID
	if err := tx.UpdateSnapshot(ctx, snap); err != nil {
		return err
	}
	// Last, since it locks what a renewal of the claim needs.
	return tx.CheckFence(ctx, store.Fence{ExecutionID: r.x.ID, Epoch: r.x.Epoch})
}

// load adds a table's rows, some at a time.
func (r *restoration) load(ctx context.Context, tx store.Tx, t *TableEntry) error {
	const most, mostBytes = 128, 4 << 20
	columns := t.names()
	edit := r.editor(t)
	var rows [][]any
	size := 0
	flush := func() error {
		err := tx.LoadRows(ctx, t.Name, columns, rows)
		rows, size = rows[:0], 0
		return err
	}
	err := r.a.rows(ctx, t, func(row []any) error {
		if edit != nil {
			keep, err := edit(row)
			if err != nil || !keep {
				return err
			}
		}
		rows = append(rows, slices.Clone(row))
		for _, c := range row {
			if s, isText := c.(string); isText {
				size += len(s)
			}
		}
		if len(rows) >= most || size > mostBytes {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// editor returns what changes the rows of a table on their way in and tells
// whether they are wanted; nil where all are as they are.
func (r *restoration) editor(t *TableEntry) func(row []any) (bool, error) {
	set := func(row []any, column string, v any) {
		if at, ok := t.places[column]; ok {
			row[at] = v
		}
	}
	switch t.Name {
	case "secrets":
		return func(row []any) (bool, error) { return true, r.reseal(t, row) }
	case "settings":
		return func(row []any) (bool, error) {
			return !isOwnSetting(text(t.cell(row, "scope")), text(t.cell(row, "name"))), nil
		}
	case "progress": // nobody here has a claim
		return func(row []any) (bool, error) {
			set(row, "owner", "")
			set(row, "lease_until", nil)
			return true, nil
		}
	case "executions":
		return func(row []any) (bool, error) {
			r.settleExecution(t, row, set)
			return true, nil
		}
	}
	return nil
}

func text(cell any) string { s, _ := cell.(string); return s }

// settleExecution ends an execution that had not ended when the snapshot was
// made. What it had begun may have gone on since, elsewhere: so it does not go
// on by itself. The one that made the snapshot had all but ended.
func (r *restoration) settleExecution(t *TableEntry, row []any, set func(row []any, column string, v any)) {
	was := store.Status(text(t.cell(row, "status")))
	if was.IsEnd() {
		return
	}
	now, reason := store.Failed, fmt.Sprintf("It was %s when snapshot %s was made, which was restored since. `cfy executions resume` lets it go on",
		was, r.snap.ID)
	switch {
	case text(t.cell(row, "id")) == r.a.manifest.Maker:
		now, reason = store.Terminated, ""
	case was.IsCancelling():
		now, reason = store.Cancelled, ""
	}
	set(row, "status", string(now))
	set(row, "is_active", false)
	set(row, "error", reason)
	set(row, "ended_at", r.a.manifest.MadeAt.UnixMicro())
	set(row, "token_hash", "")
}

func (r *restoration) loadBlob(ctx context.Context, tx store.Tx, name, hash string) error {
	content := &reopened{open: func() (io.ReadCloser, error) { return r.a.content(name) }}
	return errors.Join(tx.PutBlob(ctx, hash, content), content.close())
}

// reopened is an entry of an archive that can be read from its start again.
type reopened struct {
	open func() (io.ReadCloser, error)
	now  io.ReadCloser
}

// Seek only goes to the start.
func (r *reopened) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, errors.New("an archive's entry can only be read from its start")
	}
	return 0, r.close()
}

func (r *reopened) Read(b []byte) (n int, err error) {
	if r.now == nil {
		if r.now, err = r.open(); err != nil {
			return 0, err
		}
	}
	return r.now.Read(b)
}

func (r *reopened) close() error {
	if r.now == nil {
		return nil
	}
	err := r.now.Close()
	r.now = nil
	return err
}

// settle puts right what executions that were ended leave half done.
func settle(ctx context.Context, tx store.Tx) error {
	busy, err := tx.ListDeployments(ctx, store.Query{Filters: []store.Filter{{Field: "deployment_status", Values: []string{"in_progress"}}}})
	if err != nil {
		return err
	}
	for _, d := range busy.Items {
		if err := tx.RefreshDeploymentStatus(ctx, d.Tenant, d.ID); err != nil {
			return err
		}
	}
	coming, err := tx.ListBlueprints(ctx, store.Query{Full: true, Filters: []store.Filter{{Field: "state", Values: []string{
		store.BlueprintPending, store.BlueprintUploading, store.BlueprintExtracting, store.BlueprintParsing, store.BlueprintValidating,
	}}}})
	if err != nil {
		return err
	}
	for _, b := range coming.Items {
		b.Error = "It was " + b.State + " when the snapshot was made. Upload it again"
		b.State = store.BlueprintFailedUploading
		if err := tx.UpdateBlueprint(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// isOwnSetting tells whether a setting is about this manager and no other:
// whether it is in maintenance.
func isOwnSetting(scope, name string) bool {
	return scope == execution.MaintenanceScope && name == execution.MaintenanceSetting
}

func ownSettings(ctx context.Context, r store.Reader) ([]store.Setting, error) {
	all, err := r.ListSettings(ctx)
	return slices.DeleteFunc(all, func(s store.Setting) bool { return !isOwnSetting(s.Scope, s.Name) }), err
}

// checkAlone refuses to pull the ground from under others.
func checkAlone(ctx context.Context, r store.Reader, self string) error {
	active, err := r.ListExecutions(ctx, store.Query{Filters: []store.Filter{unended}})
	if err != nil {
		return err
	}
	for _, e := range active.Items {
		if e.ID != self && e.Status.IsActive() {
			return refuse("A snapshot can't be restored while others run: execution %s (%s) is %s", e.ID, e.WorkflowID, e.Status)
		}
	}
	return nil
}

// checkEmpty refuses to replace what somebody may need.
func checkEmpty(ctx context.Context, r store.Reader, force bool) error {
	if force {
		return nil
	}
	one := store.Query{Limit: 1}
	var found []string
	count := func(what string, own int, total func() (int, error)) error {
		n, err := total()
		if err == nil && n > own {
			found = append(found, fmt.Sprintf("%s: %d", what, n-own))
		}
		return err
	}
	err := errors.Join(
		count("blueprints", 0, func() (int, error) { p, err := r.ListBlueprints(ctx, one); return p.Total, err }),
		count("deployments", 0, func() (int, error) { p, err := r.ListDeployments(ctx, one); return p.Total, err }),
		count("secrets", 0, func() (int, error) { p, err := r.ListSecrets(ctx, one); return p.Total, err }),
		count("sites", 0, func() (int, error) { p, err := r.ListSites(ctx, one); return p.Total, err }),
		count("filters", 0, func() (int, error) { p, err := r.ListFilters(ctx, one); return p.Total, err }),
		count("deployment groups", 0, func() (int, error) { p, err := r.ListDeploymentGroups(ctx, one); return p.Total, err }),
		count("more tenants", 1, func() (int, error) { p, err := r.ListTenants(ctx, one); return p.Total, err }),
		count("more users", 1, func() (int, error) { p, err := r.ListUsers(ctx, one); return p.Total, err }),
	)
	if err == nil && len(found) > 0 {
		err = refuse("Snapshot restoration on a non-empty manager is not permitted. It has %s. "+
			"With force, all of it is replaced by what is in the snapshot", strings.Join(found, ", "))
	}
	return err
}
