package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// originsName is the folder beside a deployment's installations that tells
// where they came from.
const originsName = ".origins"

func (s *Store) originFile(scope Scope, origin string) string {
	folder := filepath.Dir(filepath.Dir(s.dir(scope, "package", "")))
	return filepath.Join(folder, originsName, shortHash(origin))
}

// shortHash names a text.
func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// remember notes where an installation came from.
func (s *Store) remember(r Request, dir string) error {
	if r.Origin == "" {
		return nil
	}
	file := s.originFile(r.Scope, r.Origin)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("note where a plugin came from: %w", err)
	}
	if err := os.WriteFile(file, []byte(dir), 0o644); err != nil {
		return fmt.Errorf("note where a plugin came from: %w", err)
	}
	return nil
}

// From returns what was installed with that Request.Origin; fs.ErrNotExist if
// nothing was, or something else has taken its place.
func (s *Store) From(scope Scope, origin string) (Installed, error) {
	dir, err := os.ReadFile(s.originFile(scope, origin))
	if err != nil {
		return Installed{}, err
	}
	i, err := readInstalled(string(dir))
	if err == nil && i.Origin != origin {
		err = fs.ErrNotExist
	}
	return i, err
}

// Remove removes an installation. One that isn't there is none to remove.
// Nobody may use it.
func (s *Store) Remove(ctx context.Context, i Installed) error {
	unlock, err := s.lock(ctx, filepath.Dir(i.Dir))
	if err != nil {
		return err
	}
	defer unlock()
	// The record goes first: what is left of a broken removal is no installation.
	if err := os.Remove(filepath.Join(i.Dir, recordName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the plugin %s %s: %w", i.PackageName, i.PackageVersion, err)
	}
	if err := os.RemoveAll(i.Dir); err != nil {
		return fmt.Errorf("remove the plugin %s %s: %w", i.PackageName, i.PackageVersion, err)
	}
	_ = os.Remove(filepath.Dir(i.Dir)) // if it was the last version
	return nil
}

// DeploymentDir is the folder that what is installed for a deployment alone is
// in. It need not exist.
func (s *Store) DeploymentDir(tenant, deploymentID string) string {
	return filepath.Join(s.cfg.Root, "source_plugins", tenant, deploymentID)
}

// RemoveDeployment removes what was installed for a deployment alone.
func (s *Store) RemoveDeployment(tenant, deploymentID string) error {
	if !filepath.IsLocal(deploymentID) || !filepath.IsLocal(tenant) {
		return fmt.Errorf("remove the plugins of a deployment: %q is no name of one", deploymentID)
	}
	if err := os.RemoveAll(s.DeploymentDir(tenant, deploymentID)); err != nil {
		return fmt.Errorf("remove the plugins of deployment %s: %w", deploymentID, err)
	}
	return nil
}

// Tenants lists the tenants that plugins are installed for.
func (s *Store) Tenants() ([]string, error) { return s.folders("plugins") }

// Deployments lists the tenants and deployments that plugins are installed for
// alone.
func (s *Store) Deployments() ([]Scope, error) {
	tenants, err := s.folders("source_plugins")
	if err != nil {
		return nil, err
	}
	var list []Scope
	for _, tenant := range tenants {
		deployments, err := s.folders("source_plugins", tenant)
		if err != nil {
			return nil, err
		}
		for _, d := range deployments {
			list = append(list, Scope{Tenant: tenant, DeploymentID: d})
		}
	}
	return list, nil
}

func (s *Store) folders(parts ...string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(append([]string{s.cfg.Root}, parts...)...))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list what plugins are installed for: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
