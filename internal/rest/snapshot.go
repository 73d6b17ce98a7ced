package rest

import (
	"context"
	"errors"
	"io"
	"net/http"

	"windlass/internal/access"
	"windlass/internal/snapshot"
	"windlass/internal/store"
)

// Snapshots is what the API needs of the snapshot room.
type Snapshots interface {
	Create(ctx context.Context, c snapshot.Creation) (store.Execution, error)
	Restore(ctx context.Context, r snapshot.Restoration) (store.Execution, error)
	Get(ctx context.Context, id string) (store.Snapshot, error)
	// Settled gives a listed snapshot as it is now.
	Settled(ctx context.Context, r store.Reader, snap store.Snapshot) (store.Snapshot, error)
	SetStatus(ctx context.Context, id, status, text string) error
	Delete(ctx context.Context, id string) (store.Snapshot, error)
	Upload(ctx context.Context, id string, owner store.Owned, content io.Reader) (store.Snapshot, error)
	// Download opens an archive, which the caller closes.
	Download(ctx context.Context, id string) (io.ReadSeekCloser, error)
	IsRestoring(ctx context.Context) (bool, error)
}

var snapshotShape = shape[store.Snapshot]{name: "Snapshot", fields: append([]field[store.Snapshot]{
	{"id", text, func(x store.Snapshot) any { return x.ID }},
	{"created_at", moment, func(x store.Snapshot) any { return date(x.CreatedAt) }},
	{"status", text, func(x store.Snapshot) any { return x.Status }},
	{"error", text, func(x store.Snapshot) any { return orNull(x.Error) }},
	{"size", integer, func(x store.Snapshot) any { return x.Size }},
}, ownedFields(func(x store.Snapshot) store.Owned { return x.Owned })...)}

var snapshotList = listed{
	filters: []string{"id", "status", "created_by", "tenant_name", "visibility"}, sorts: []string{"created_at"},
}

// snapshotError gives the faults of archives their code.
func snapshotError(err error) error {
	var refused *snapshot.Error
	if errors.As(err, &refused) {
		return fail("snapshot_action_error", "%s", refused.Message)
	}
	return err
}

func (s *server) listSnapshots(w http.ResponseWriter, r *request) error {
	l := snapshotList
	l.global = r.tenant == ""
	q, err := s.listing(r, l)
	if err != nil {
		return err
	}
	page, err := s.Store.ListSnapshots(r.Context(), q.Query)
	if err != nil {
		return err
	}
	for i := range page.Items {
		if page.Items[i], err = s.Snapshots.Settled(r.Context(), s.Store, page.Items[i]); err != nil {
			return err
		}
	}
	return reply(w, q, snapshotShape, page)
}

// snapshotNamed reads the snapshot of the path. Only admins get here, who see
// those of all tenants.
func (s *server) snapshotNamed(r *request) (store.Snapshot, error) {
	return s.Snapshots.Get(r.Context(), r.PathValue("id"))
}

func (s *server) getSnapshot(w http.ResponseWriter, r *request) error {
	snap, err := s.snapshotNamed(r)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, snapshotShape, snap)
}

// snapshotOwner says whose a new snapshot is.
func (s *server) snapshotOwner(r *request) (store.Owned, error) {
	visibility, err := r.visibility()
	return store.Owned{Tenant: tenantOrDefault(r), Visibility: visibility, CreatedBy: r.caller.Username, CreatedAt: s.Now()}, err
}

// tenantOrDefault is the tenant for what concerns the manager as a whole:
// clients leave the header out.
func tenantOrDefault(r *request) string {
	if r.tenant == "" {
		return access.DefaultTenant
	}
	return r.tenant
}

func (s *server) putSnapshot(w http.ResponseWriter, r *request) error {
	id := r.PathValue("id")
	if err := access.CheckName("snapshot_id", id, true); err != nil {
		return err
	}
	owner, err := s.snapshotOwner(r)
	if err != nil {
		return err
	}
	flag := func(name string, otherwise bool) bool {
		if !r.has(name) {
			return otherwise
		}
		return r.flag(name)
	}
	e, err := s.Snapshots.Create(r.Context(), snapshot.Creation{
		ID: id, Owner: owner, Caller: r.actsFor(), Queue: r.flag("queue"), Legacy: r.flag("legacy"),
		Keys: flag("include_credentials", true), Events: flag("include_events", true), Logs: flag("include_logs", true),
	})
	if err != nil {
		return snapshotError(err)
	}
	return replyOne(w, r, http.StatusCreated, executionShape, e)
}

func (s *server) patchSnapshot(w http.ResponseWriter, r *request) error {
	if err := s.Snapshots.SetStatus(r.Context(), r.PathValue("id"), r.str("status"), r.str("error")); err != nil {
		var refused *snapshot.Error
		if errors.As(err, &refused) {
			return badParameter("%s", refused.Message)
		}
		return err
	}
	return ok(w, nil)
}

func (s *server) deleteSnapshot(w http.ResponseWriter, r *request) error {
	snap, err := s.Snapshots.Delete(r.Context(), r.PathValue("id"))
	if err != nil {
		return snapshotError(err)
	}
	return replyOne(w, r, http.StatusOK, snapshotShape, snap)
}

func (s *server) getSnapshotArchive(w http.ResponseWriter, r *request) error {
	id := r.PathValue("id")
	content, err := s.Snapshots.Download(r.Context(), id)
	if err != nil {
		return snapshotError(err)
	}
	defer func() { _ = content.Close() }()
	return s.sendFile(w, content, id+".zip")
}

func (s *server) putSnapshotArchive(w http.ResponseWriter, r *request) error {
	id := r.PathValue("id")
	if err := access.CheckName("snapshot_id", id, true); err != nil {
		return err
	}
	owner, err := s.snapshotOwner(r)
	if err != nil {
		return err
	}
	var content io.Reader = s.incoming(w, r.Request, s.MaxSnapshot)
	if from := r.query.Get("snapshot_archive_url"); from != "" {
		if s.Fetch == nil {
			return notYet("Fetching a snapshot from a URL")
		}
		fetched, err := s.Fetch(r.Context(), from)
		if err != nil {
			return fail("param_url_not_found_error", "Cannot fetch URL: %s", err)
		}
		defer func() { _ = fetched.Close() }()
		content = fetched
	}
	snap, err := s.Snapshots.Upload(r.Context(), id, owner, content)
	if err != nil {
		return snapshotError(err)
	}
	return replyOne(w, r, http.StatusCreated, snapshotShape, snap)
}

func (s *server) restoreSnapshot(w http.ResponseWriter, r *request) error {
	e, err := s.Snapshots.Restore(r.Context(), snapshot.Restoration{
		ID: r.PathValue("id"), Tenant: tenantOrDefault(r), CreatedBy: r.caller.Username, Caller: r.actsFor(), Force: r.flag("force"),
	})
	if err != nil {
		return snapshotError(err)
	}
	return replyOne(w, r, http.StatusOK, executionShape, e)
}

// getSnapshotStatus tells whether a snapshot is being restored.
func (s *server) getSnapshotStatus(w http.ResponseWriter, r *request) error {
	restoring, err := s.Snapshots.IsRestoring(r.Context())
	if err != nil {
		return err
	}
	status := "not-running"
	if restoring {
		status = "running"
	}
	return ok(w, object{"status": status})
}
