package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/imports"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/execution"
	"windlass/internal/store"
	"windlass/internal/value"
)

// upload is the upload_blueprint execution: fetch (if a URL was given), unpack
// and parse. It may run again after a crash.
func (e *Environment) upload(ctx context.Context, x store.Execution, h execution.SystemHost) error {
	id, _ := x.Parameters["blueprint_id"].(string)
	b, err := e.Store.GetBlueprint(ctx, x.Tenant, id)
	if err != nil {
		return err
	}
	if b.ArchiveHash == "" {
		url, _ := x.Parameters["url"].(string)
		if err := e.setState(ctx, h, &b, store.BlueprintUploading); err != nil {
			return err
		}
		h.Log("info", fmt.Sprintf("Fetching %s", url))
		if err := e.fetchArchive(ctx, h, &b, url); err != nil {
			return e.failUpload(ctx, h, b, store.BlueprintFailedUploading, err)
		}
	}
	if err := e.setState(ctx, h, &b, store.BlueprintExtracting); err != nil {
		return err
	}
	dir, err := e.Library.Unpacked(ctx, b.ArchiveHash, b.ArchiveSuffix)
	if err != nil {
		return e.failUpload(ctx, h, b, store.BlueprintFailedExtracting, err)
	}
	if err := e.setState(ctx, h, &b, store.BlueprintParsing); err != nil {
		return err
	}
	parsed, warnings, err := e.parse(ctx, b, dir)
	if err != nil {
		return e.failParsing(ctx, h, b, err)
	}
	for _, w := range warnings {
		h.Log("warning", strings.TrimSpace(strings.ReplaceAll(w.Text(), dir+string(filepath.Separator), "")))
	}
	if b.State == store.BlueprintValidating {
		return e.discard(ctx, h, b)
	}
	return e.keep(ctx, h, b, parsed, x)
}

// discard removes a blueprint that was only to be validated, and its files. The
// execution keeps what was wrong with it.
func (e *Environment) discard(ctx context.Context, h execution.SystemHost, b store.Blueprint) error {
	var orphan string
	err := h.Write(ctx, func(tx store.Tx) error {
		orphan = ""
		if err := tx.DeleteBlueprint(ctx, b.Tenant, b.ID); err != nil {
			return err
		}
		var err error
		orphan, err = dropArchive(ctx, tx, b.ArchiveHash)
		return err
	})
	if err != nil {
		return err
	}
	return e.Library.Forget(orphan)
}

func (e *Environment) setState(ctx context.Context, h execution.SystemHost, b *store.Blueprint, state string) error {
	if b.State != store.BlueprintValidating {
		b.State = state
	}
	b.UpdatedAt = e.Now()
	return h.Write(ctx, func(tx store.Tx) error { return tx.UpdateBlueprint(ctx, *b) })
}

func (e *Environment) fetchArchive(ctx context.Context, h execution.SystemHost, b *store.Blueprint, url string) error {
	body, err := e.Fetch(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	received, err := e.Library.Receive(body)
	if err != nil {
		return err
	}
	defer received.Discard()
	b.ArchiveHash, b.ArchiveSuffix = received.Hash, received.Suffix
	return h.Write(ctx, func(tx store.Tx) error {
		if err := received.Put(ctx, tx); err != nil {
			return err
		}
		return tx.UpdateBlueprint(ctx, *b)
	})
}

func (e *Environment) parse(ctx context.Context, b store.Blueprint, dir string) (*plan.Plan, problem.List, error) {
	main := filepath.Join(dir, filepath.FromSlash(b.MainFileName))
	text, err := readInside(dir, b.MainFileName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, problem.New(problem.FileNotFound, "%s does not exist in the application directory", b.MainFileName).
			WithHint("found there: %s", strings.Join(yamlFiles(dir), ", "))
	}
	if err != nil {
		return nil, nil, err
	}
	opts := e.Parse
	opts.Resolver = imports.ForTenant(e.Parse.Resolver, b.Tenant)
	if opts.Rules, err = e.importRules(ctx); err != nil {
		return nil, nil, err
	}
	return blueprint.Parse(ctx, blueprint.Source{Path: main, Text: text}, opts)
}

// ImportResolverSetting names the setting that tells where imports are really
// found, in the original's form (see imports.ParseRules); its scope is rest.
const ImportResolverSetting = "import_resolver"

// importRules are those of the setting or, without it, those it was made with.
func (e *Environment) importRules(ctx context.Context) (imports.Rules, error) {
	settings, err := e.Store.ListSettings(ctx)
	if err != nil {
		return imports.Rules{}, fmt.Errorf("read setting %s: %w", ImportResolverSetting, err)
	}
	for _, s := range settings {
		if s.Scope == "rest" && s.Name == ImportResolverSetting {
			rules, err := imports.ParseRules(s.Value)
			rules.Direct = e.Parse.Rules.Direct
			return rules, err
		}
	}
	return e.Parse.Rules, nil
}

func yamlFiles(dir string) []string {
	var found []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		if ext := filepath.Ext(entry.Name()); ext == ".yaml" || ext == ".yml" {
			found = append(found, entry.Name())
		}
	}
	return found
}

// failUpload records why the blueprint can't be used and returns the reason. One
// that was only to be validated is gone then, as one that is valid.
func (e *Environment) failUpload(ctx context.Context, h execution.SystemHost, b store.Blueprint, state string, reason error) error {
	if ctx.Err() != nil { // the manager stops: the next one tries again
		return reason
	}
	if b.State == store.BlueprintValidating {
		return errors.Join(reason, e.discard(ctx, h, b))
	}
	b.State, b.Error, b.UpdatedAt = state, reason.Error(), e.Now()
	err := h.Write(ctx, func(tx store.Tx) error { return tx.UpdateBlueprint(ctx, b) })
	return errors.Join(reason, err)
}

func (e *Environment) failParsing(ctx context.Context, h execution.SystemHost, b store.Blueprint, reason error) error {
	problems := problem.All(reason)
	if problems == nil {
		return e.failUpload(ctx, h, b, store.BlueprintFailedParsing, reason)
	}
	dir := e.Library.path("blueprints", b.ArchiveHash) + string(filepath.Separator)
	texts := make([]string, 0, len(problems))
	for _, p := range problems {
		text := strings.TrimSpace(strings.ReplaceAll(p.Text(), dir, ""))
		h.Log("error", text)
		texts = append(texts, text)
	}
	return e.failUpload(ctx, h, b, store.BlueprintInvalid, invalidError(strings.Join(texts, "\n")))
}

// invalidError words a blueprint's problems as clients know them.
type invalidError string

func (e invalidError) Error() string { return "Invalid blueprint - " + string(e) }

// keep stores the plan and what it says of the blueprint itself.
func (e *Environment) keep(ctx context.Context, h execution.SystemHost, b store.Blueprint, p *plan.Plan, x store.Execution) error {
	requirements, err := value.Of(p.Requirements)
	if err != nil {
		return fmt.Errorf("blueprint requirements: %w", err)
	}
	b.Plan, b.Description, b.State, b.UpdatedAt = p, p.Description, store.BlueprintUploaded, e.Now()
	b.Requirements, _ = requirements.(map[string]any)
	b.Labels = mergeLabels(b.Labels, p.BlueprintLabels, x.CreatedBy, e.Now())
	if err := e.Library.publish(ctx, b); err != nil {
		return fmt.Errorf("publish the blueprint's files: %w", err)
	}
	return h.Write(ctx, func(tx store.Tx) error { return tx.UpdateBlueprint(ctx, b) })
}
