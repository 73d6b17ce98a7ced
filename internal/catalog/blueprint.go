package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"windlass/internal/execution"
	"windlass/internal/store"
)

// Upload asks for a blueprint to be taken in.
type Upload struct {
	Tenant       string
	ID           string
	CreatedBy    string
	Visibility   store.Visibility
	Archive      io.Reader // nil when URL is given
	URL          string
	MainFile     string // "" for blueprint.yaml
	Labels       []store.Label
	ValidateOnly bool // parse it, keep nothing
}

// DefaultMainFile is the blueprint file in an archive when none is named.
const DefaultMainFile = "blueprint.yaml"

// UploadBlueprint stores the archive and starts its parsing. It returns at
// once; WaitForUpload tells how it ended. A blueprint of that id whose upload
// had failed is replaced; any other is a conflict.
func (s *Service) UploadBlueprint(ctx context.Context, u Upload) (store.Blueprint, error) {
	if (u.Archive == nil) == (u.URL == "") {
		return store.Blueprint{}, refusal(http.StatusBadRequest, "bad_parameters_error",
			"Can pass blueprint as only one of: URL via query parameters, multi-form or chunked.")
	}
	var received *Received
	if u.Archive != nil {
		var err error
		if received, err = s.library.Receive(u.Archive); err != nil {
			return store.Blueprint{}, refusal(http.StatusBadRequest, "bad_parameters_error", err.Error())
		}
		defer received.Discard()
	}
	b := s.newBlueprint(u, received)
	err := s.store.Write(ctx, func(tx store.Tx) error { return s.addBlueprint(ctx, tx, &b, u, received) })
	return b, err
}

func (s *Service) newBlueprint(u Upload, received *Received) store.Blueprint {
	now := s.now()
	b := store.Blueprint{
		Owned: store.Owned{Tenant: u.Tenant, Visibility: u.Visibility, CreatedBy: u.CreatedBy, CreatedAt: now},
		ID:    u.ID, MainFileName: u.MainFile, UpdatedAt: now, State: store.BlueprintPending, Labels: u.Labels,
	}
	if b.MainFileName == "" {
		b.MainFileName = DefaultMainFile
	}
	if u.ValidateOnly {
		b.State, b.IsHidden = store.BlueprintValidating, true
	}
	if received != nil {
		b.ArchiveHash, b.ArchiveSuffix = received.Hash, received.Suffix
	}
	return b
}

func (s *Service) addBlueprint(ctx context.Context, tx store.Tx, b *store.Blueprint, u Upload, received *Received) error {
	old, err := tx.GetBlueprint(ctx, u.Tenant, u.ID)
	switch {
	case isNotFound(err):
	case err != nil:
		return err
	case !uploadFailed(old.State):
		return refusal(http.StatusConflict, "conflict_error", fmt.Sprintf(
			"blueprint with id=%s already exists on tenant %s or with global visibility", u.ID, old.Tenant))
	default:
		if err := tx.DeleteBlueprint(ctx, old.Tenant, old.ID); err != nil {
			return err
		}
	}
	if received != nil {
		if err := received.Put(ctx, tx); err != nil {
			return err
		}
	}
	if err := tx.AddBlueprint(ctx, *b); err != nil {
		return err
	}
	e, err := s.executions.StartSystem(ctx, tx, execution.SystemRequest{
		Tenant: u.Tenant, WorkflowID: WorkflowUpload, CreatedBy: u.CreatedBy, Visibility: b.Visibility,
		BlueprintID: u.ID,
		Parameters: map[string]any{
			"blueprint_id": u.ID, "app_file_name": b.MainFileName, "url": nilIfEmpty(u.URL),
			"validate_only": u.ValidateOnly,
		},
	})
	if err != nil {
		return err
	}
	b.UploadExecutionID = e.ID
	return tx.UpdateBlueprint(ctx, *b)
}

func nilIfEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func uploadFailed(state string) bool {
	return strings.HasPrefix(state, "failed_") || state == store.BlueprintInvalid
}

// WaitForUpload waits until the blueprint's upload has ended and returns it, or
// a refusal that tells why it failed.
func (s *Service) WaitForUpload(ctx context.Context, b store.Blueprint) (store.Blueprint, error) {
	e, err := s.executions.Wait(ctx, b.UploadExecutionID)
	if err != nil {
		return b, err
	}
	now, err := s.store.GetBlueprint(ctx, b.Tenant, b.ID)
	if isNotFound(err) && e.Status == store.Terminated { // only validated, or deleted meanwhile
		b.State = store.BlueprintUploaded
		return b, nil
	}
	if err != nil {
		return b, err
	}
	if now.State == store.BlueprintUploaded {
		return now, nil
	}
	reason := fmt.Sprintf("is in state %s", now.State)
	switch now.State {
	case store.BlueprintInvalid:
		reason = "is invalid"
	case store.BlueprintFailedParsing:
		reason = "has failed parsing"
	case store.BlueprintFailedExtracting:
		reason = "has failed extracting"
	case store.BlueprintFailedUploading:
		reason = "has failed uploading"
	}
	return now, refusal(http.StatusBadRequest, "invalid_blueprint_error",
		fmt.Sprintf("Blueprint `%s` %s. Error: %s", b.ID, reason, now.Error))
}

// DeleteBlueprint removes a blueprint and its files. One that others import
// is removed only with force; one with deployments never.
func (s *Service) DeleteBlueprint(ctx context.Context, tenant, id string, force bool) error {
	var orphan string
	err := s.store.Write(ctx, func(tx store.Tx) error {
		orphan = ""
		b, err := tx.GetBlueprint(ctx, tenant, id)
		if err != nil {
			return err
		}
		if b.Tenant != tenant {
			return refusal(http.StatusBadRequest, "illegal_action_error", fmt.Sprintf(
				"Can't modify the global resource `%s` from outside its tenant `%s`", id, b.Tenant))
		}
		if !uploadFailed(b.State) {
			if err := s.mayDelete(ctx, tx, b, force); err != nil {
				return err
			}
		}
		if err := tx.DeleteBlueprint(ctx, tenant, id); err != nil {
			return err
		}
		orphan, err = dropArchive(ctx, tx, b.ArchiveHash)
		return err
	})
	if err != nil {
		return err
	}
	return errors.Join(s.library.unpublish(tenant, id), s.library.Forget(orphan))
}

func (s *Service) mayDelete(ctx context.Context, tx store.Tx, b store.Blueprint, force bool) error {
	if b.State != store.BlueprintUploaded && !force {
		return refusal(http.StatusBadRequest, "invalid_blueprint_error",
			fmt.Sprintf("Blueprint `%s` is still %s.", b.ID, b.State))
	}
	all, err := tx.ListBlueprints(ctx, store.Query{Tenants: []string{b.Tenant}, Full: true})
	if err != nil {
		return err
	}
	for _, other := range all.Items {
		if other.Plan == nil || other.ID == b.ID || force {
			continue
		}
		for _, imported := range other.Plan.ImportedBlueprints {
			if imported == b.ID {
				return refusal(http.StatusMethodNotAllowed, "blueprint_in_use", fmt.Sprintf(
					"Blueprint %s is currently in use. You can \"force\" blueprint removal.", b.ID))
			}
		}
	}
	users, err := tx.ListDeployments(ctx, store.Query{
		Tenants: []string{b.Tenant}, Filters: []store.Filter{{Field: "blueprint_id", Values: []string{b.ID}}}, Limit: 20,
	})
	if err != nil || len(users.Items) == 0 {
		return err
	}
	ids := make([]string, len(users.Items))
	for i, d := range users.Items {
		ids[i] = d.ID
	}
	return refusal(http.StatusBadRequest, "dependent_exists_error", fmt.Sprintf(
		"Can't delete blueprint %s - There exist deployments for this blueprint; Deployments ids: %s",
		b.ID, strings.Join(ids, ",")))
}

// dropArchive removes the stored archive if no blueprint and no plugin refers
// to it any more, and returns its hash then.
func dropArchive(ctx context.Context, tx store.Tx, hash string) (string, error) {
	if hash == "" {
		return "", nil
	}
	q := store.Query{Filters: []store.Filter{{Field: "archive_hash", Values: []string{hash}}}, Limit: 1}
	blueprints, err := tx.ListBlueprints(ctx, q)
	if err != nil || len(blueprints.Items) > 0 {
		return "", err
	}
	plugins, err := tx.ListPlugins(ctx, q)
	if err != nil || len(plugins.Items) > 0 {
		return "", err
	}
	return hash, tx.DeleteBlob(ctx, hash)
}

// BlueprintArchive opens the archive as it was uploaded. The caller closes it.
// It also returns a file name for it.
func (s *Service) BlueprintArchive(ctx context.Context, tenant, id string) (io.ReadCloser, string, error) {
	b, err := s.store.GetBlueprint(ctx, tenant, id)
	if err != nil {
		return nil, "", err
	}
	r, err := s.store.OpenBlob(ctx, b.ArchiveHash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", refusal(http.StatusNotFound, "not_found_error",
			"Could not find blueprint's archive; Blueprint ID: "+id)
	}
	return r, b.ID + "." + b.ArchiveSuffix, err
}
