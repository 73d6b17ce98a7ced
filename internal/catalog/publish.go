package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"windlass/internal/store"
)

// Publish lets scripts that name the original's folder find files there: link,
// such as /opt/manager/resources, becomes a symbolic link to a folder with
// blueprints/TENANT/ID and deployments/TENANT/ID. It is kept up to date from
// then on. A link that leads elsewhere, or anything else of that name, is left
// as it is, and is an error.
func (l *Library) Publish(ctx context.Context, link string) error {
	if err := os.MkdirAll(l.path("published", "blueprints"), 0o750); err != nil {
		return fmt.Errorf("publish files: %w", err)
	}
	if err := replaceLink(l.path("deployments"), l.path("published", "deployments")); err != nil {
		return fmt.Errorf("publish files: %w", err)
	}
	page, err := l.store.ListBlueprints(ctx, store.Query{})
	if err != nil {
		return fmt.Errorf("publish files: %w", err)
	}
	for _, b := range page.Items {
		if b.State == store.BlueprintUploaded {
			if err := l.publish(ctx, b); err != nil {
				return fmt.Errorf("publish the files of blueprint %s: %w", b.ID, err)
			}
		}
	}
	target, err := os.Readlink(link)
	switch {
	case err == nil && target == l.path("published"):
		return nil
	case err == nil:
		return fmt.Errorf("%s leads to %s already: remove it, or leave it out", link, target)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is in the way: %w", link, err)
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return fmt.Errorf("publish files: %w", err)
	}
	return os.Symlink(l.path("published"), link)
}

// publish links a blueprint's files under its name, if that was asked for.
func (l *Library) publish(ctx context.Context, b store.Blueprint) error {
	if !l.isPublishing() {
		return nil
	}
	dir, err := l.Unpacked(ctx, b.ArchiveHash, b.ArchiveSuffix)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.path("published", "blueprints", b.Tenant), 0o750); err != nil {
		return err
	}
	return replaceLink(dir, l.path("published", "blueprints", b.Tenant, b.ID))
}

// unpublish takes a deleted blueprint's link away.
func (l *Library) unpublish(tenant, id string) error {
	if !l.isPublishing() {
		return nil
	}
	err := os.Remove(l.path("published", "blueprints", tenant, id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (l *Library) isPublishing() bool {
	_, err := os.Stat(l.path("published"))
	return err == nil
}

// replaceLink makes a symbolic link, in the place of a former one.
func replaceLink(target, link string) error {
	if old, err := os.Readlink(link); err == nil && old == target {
		return nil
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, link)
}
