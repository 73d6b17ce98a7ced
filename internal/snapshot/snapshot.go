// Package snapshot makes copies of everything a manager knows, and puts them
// back: into the same database or another, of the same kind or the other.
//
// A snapshot is an archive of rows, blobs and files, read from one moment of
// the store (see format.go for what is in it). It is made and restored by
// executions, which obey the rules of admission like all others. Restoring
// replaces everything in one transaction: the archive is checked as a whole
// before, and nothing of it is seen if anything fails.
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"windlass/internal/execution"
	"windlass/internal/store"
)

// The workflows that make and restore snapshots.
const (
	WorkflowCreate  = "create_snapshot"
	WorkflowRestore = "restore_snapshot"
)

// Keys opens and seals secrets for archives.
type Keys interface {
	// SealKeys gives this manager's keys in a form that only they open.
	SealKeys() ([]byte, error)
	// SealForeignKeys does the same for keys that came with an archive; it gives
	// an error if they are none.
	SealForeignKeys(text string) ([]byte, error)
	// OpenKeys is the reverse of both.
	OpenKeys(sealed []byte) (text string, err error)
	// Reseal makes a sealed secret one of this manager, which foreign keys may
	// help to open.
	Reseal(foreign, tenant, name string, sealed []byte) ([]byte, error)
}

// Starter starts executions.
type Starter interface {
	StartSystem(ctx context.Context, tx store.Tx, r execution.SystemRequest) (store.Execution, error)
}

// Config is what a Service needs.
type Config struct {
	Store store.Store
	Keys  Keys
	// Folders are those whose files belong to snapshots, by their name in the
	// archive.
	Folders map[string]string
	TempDir string // for archives under way; made if missing, its content is lost at a start
	Version string // of the program, for people who look into an archive
	Now     func() time.Time
}

// Service makes, keeps and restores snapshots. It is safe for concurrent use.
type Service struct {
	Config
	// Start is set before the first call of Create or Restore.
	Start Starter
}

// New makes a Service and clears its temporary folder.
func New(c Config) (*Service, error) {
	if c.Store == nil || c.Keys == nil || c.TempDir == "" || c.Now == nil {
		return nil, errors.New("the snapshot service needs a store, keys, a folder for temporary files and a clock")
	}
	if err := os.RemoveAll(c.TempDir); err != nil {
		return nil, fmt.Errorf("clear unfinished snapshots: %w", err)
	}
	if err := os.MkdirAll(c.TempDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for snapshots: %w", err)
	}
	return &Service{Config: c}, nil
}

// SystemWorkflows are the workflows that the manager carries out here.
func (s *Service) SystemWorkflows() map[string]execution.SystemWorkflow {
	return map[string]execution.SystemWorkflow{WorkflowCreate: s.create, WorkflowRestore: s.restore}
}

// Creation asks for a snapshot.
type Creation struct {
	ID         string
	Owner      store.Owned
	Caller     string // the execution that asks, "" if none does
	Queue      bool   // wait if it can't be made now
	Legacy     bool   // made alone on the manager, as older ones were
	Keys       bool   // with the keys that open its secrets
	Events     bool
	Logs       bool
	Parameters map[string]any // to show with the execution
}

// Create starts making a snapshot. Errors are an *execution.Refusal, and
// store.ErrExists for an id in use.
func (s *Service) Create(ctx context.Context, c Creation) (store.Execution, error) {
	var e store.Execution
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		parameters := map[string]any{}
		for k, v := range c.Parameters {
			parameters[k] = v
		}
		parameters["snapshot_id"], parameters["legacy"] = c.ID, c.Legacy
		parameters["include_credentials"], parameters["include_events"], parameters["include_logs"] = c.Keys, c.Events, c.Logs
		var err error
		e, err = s.Start.StartSystem(ctx, tx, execution.SystemRequest{
			Tenant: c.Owner.Tenant, WorkflowID: WorkflowCreate, Parameters: parameters, Visibility: c.Owner.Visibility,
			CreatedBy: c.Owner.CreatedBy, Queue: c.Queue, Caller: c.Caller,
		})
		if err != nil {
			return err
		}
		return tx.AddSnapshot(ctx, store.Snapshot{Owned: c.Owner, ID: c.ID, Status: store.SnapshotCreating, ExecutionID: e.ID})
	})
	return e, err
}

// Restoration asks for everything to be replaced by a snapshot.
type Restoration struct {
	ID         string
	Tenant     string
	CreatedBy  string
	Caller     string
	Force      bool // even if there is something to be replaced
	Parameters map[string]any
}

// Restore starts restoring a snapshot. Errors are an *execution.Refusal,
// *Error, and store.ErrNotFound.
func (s *Service) Restore(ctx context.Context, r Restoration) (store.Execution, error) {
	var e store.Execution
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		snap, err := s.usable(ctx, tx, r.ID, "restored")
		if err != nil {
			return err
		}
		if err := checkEmpty(ctx, tx, r.Force); err != nil {
			return err
		}
		parameters := map[string]any{}
		for k, v := range r.Parameters {
			parameters[k] = v
		}
		parameters["snapshot_id"], parameters["force"] = snap.ID, r.Force
		e, err = s.Start.StartSystem(ctx, tx, execution.SystemRequest{
			Tenant: r.Tenant, WorkflowID: WorkflowRestore, Parameters: parameters, CreatedBy: r.CreatedBy, Caller: r.Caller,
		})
		return err
	})
	return e, err
}

// Error is a refusal of what was asked for, or a fault of an archive.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func refuse(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Get reads a snapshot as it is now: one whose making was cut short has failed.
func (s *Service) Get(ctx context.Context, id string) (store.Snapshot, error) {
	snap, err := s.Store.GetSnapshot(ctx, id)
	if err != nil {
		return snap, err
	}
	return s.Settled(ctx, s.Store, snap)
}

// Settled gives a snapshot with the status that its execution leaves it with.
func (s *Service) Settled(ctx context.Context, r store.Reader, snap store.Snapshot) (store.Snapshot, error) {
	if snap.Status != store.SnapshotCreating || snap.ExecutionID == "" {
		return snap, nil
	}
	e, err := r.GetExecution(ctx, snap.ExecutionID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		snap.Status, snap.Error = store.SnapshotFailed, "its execution was deleted"
	case err != nil:
		return snap, err
	case e.Status.IsEnd():
		snap.Status = store.SnapshotFailed
		if e.Error != nil {
			snap.Error = *e.Error
		}
		if snap.Error == "" {
			snap.Error = fmt.Sprintf("its execution was %s", e.Status)
		}
	}
	return snap, nil
}

// usable reads a snapshot whose archive is whole.
func (s *Service) usable(ctx context.Context, r store.Reader, id, done string) (store.Snapshot, error) {
	snap, err := r.GetSnapshot(ctx, id)
	if err == nil {
		snap, err = s.Settled(ctx, r, snap)
	}
	if err == nil && snap.Status != store.SnapshotCreated && snap.Status != store.SnapshotUploaded {
		return snap, refuse("Snapshot with id=%s can't be %s: it is %s", id, done, snap.Status)
	}
	return snap, err
}

// SetStatus changes what is told about a snapshot.
func (s *Service) SetStatus(ctx context.Context, id, status, text string) error {
	switch status {
	case store.SnapshotCreating, store.SnapshotCreated, store.SnapshotFailed, store.SnapshotUploaded:
	default:
		return refuse("Invalid snapshot status: %s, Valid statuses are: creating, created, failed, uploaded", status)
	}
	return s.Store.Write(ctx, func(tx store.Tx) error {
		snap, err := tx.GetSnapshot(ctx, id)
		if err != nil {
			return err
		}
		snap.Status, snap.Error = status, text
		return tx.UpdateSnapshot(ctx, snap)
	})
}

// Delete removes a snapshot that is neither being made nor restored.
func (s *Service) Delete(ctx context.Context, id string) (store.Snapshot, error) {
	var snap store.Snapshot
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		var err error
		if snap, err = tx.GetSnapshot(ctx, id); err != nil {
			return err
		}
		busy, err := tx.ListExecutions(ctx, store.Query{Filters: []store.Filter{
			{Field: "workflow_id", Values: []string{WorkflowCreate, WorkflowRestore}}, unended,
		}})
		if err != nil {
			return err
		}
		for _, e := range busy.Items {
			if e.Parameters["snapshot_id"] == id {
				return refuse("Snapshot with id=%s can't be deleted: execution %s (%s) is %s", id, e.ID, e.WorkflowID, e.Status)
			}
		}
		return tx.DeleteSnapshot(ctx, id)
	})
	return snap, err
}

// unended are the statuses that something still follows on.
var unended = store.Filter{Field: "status", Op: store.NotIn, Values: []string{
	string(store.Terminated), string(store.Failed), string(store.Cancelled),
}}

// IsRestoring tells whether a snapshot is being restored.
func (s *Service) IsRestoring(ctx context.Context) (bool, error) {
	page, err := s.Store.ListExecutions(ctx, store.Query{Limit: 1, Filters: []store.Filter{
		{Field: "workflow_id", Values: []string{WorkflowRestore}}, unended,
	}})
	return len(page.Items) > 0, err
}
