package catalog

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"windlass/internal/blueprint/imports"
	"windlass/internal/blueprint/plan"
	"windlass/internal/execution"
	"windlass/internal/store"
)

// updatePlugins is the update_plugin execution: the blueprint is planned anew
// with other versions, its deployments are updated to that plan one by one, and
// then the blueprint gets it. It may run again after a crash. What is left to do
// when it fails is done where its status is stored (execution.followPluginsUpdate).
func (e *Environment) updatePlugins(ctx context.Context, x store.Execution, h execution.SystemHost) error {
	id, _ := x.Parameters["update_id"].(string)
	u, err := e.Store.GetPluginsUpdate(ctx, x.Tenant, id)
	if err != nil {
		return err
	}
	b, err := e.Store.GetBlueprint(ctx, u.Tenant, u.BlueprintID)
	if err != nil {
		return err
	}
	if u.TempBlueprintID == "" {
		needed, err := e.stagePluginsUpdate(ctx, x, h, b, &u)
		if err != nil || !needed {
			return err
		}
	}
	if err := e.updateDeployments(ctx, x, h, u); err != nil {
		return err
	}
	return e.finishPluginsUpdate(ctx, h, u)
}

// stagePluginsUpdate plans the blueprint anew and stores that as a hidden
// blueprint. It tells whether anything is to be done.
func (e *Environment) stagePluginsUpdate(
	ctx context.Context, x store.Execution, h execution.SystemHost, b store.Blueprint, u *store.PluginsUpdate,
) (needed bool, err error) {
	choice, _ := x.Parameters["choice"].(map[string]any)
	p, err := e.planWith(ctx, b, chosenVersions(b.Plan, choice))
	if err != nil {
		dir := e.Library.path("blueprints", b.ArchiveHash) + string(filepath.Separator)
		return false, fmt.Errorf("plan blueprint %s with other plugins: %s", b.ID, strings.ReplaceAll(err.Error(), dir, ""))
	}
	if sameVersions(b.Plan, p) {
		h.Log("info", fmt.Sprintf("Blueprint %s has the plugins that were asked for: nothing to do", b.ID))
		u.State = store.PluginsUpdateNeedless
		return false, h.Write(ctx, func(tx store.Tx) error { return tx.UpdatePluginsUpdate(ctx, *u) })
	}
	before := versionList(b.Plan)
	for _, line := range versionList(p) {
		if !slices.Contains(before, line) {
			h.Log("info", "Plugin to move to: "+line)
		}
	}
	deployments, err := e.deploymentsOf(ctx, b.ID, *u)
	if err != nil {
		return false, err
	}
	u.Deployments = map[string]any{}
	for _, d := range deployments {
		list, _ := u.Deployments[d.Tenant].([]any)
		u.Deployments[d.Tenant] = append(list, d.ID)
	}
	u.TempBlueprintID = fmt.Sprintf("plugins-update-%s-%s", u.CreatedAt.UTC().Format("20060102T150405.000000"), b.ID)
	u.State = store.UpdateExecuting
	temp := b
	temp.ID, temp.Plan, temp.IsHidden, temp.UploadExecutionID = u.TempBlueprintID, p, true, ""
	temp.CreatedAt, temp.UpdatedAt = e.Now(), e.Now()
	return true, h.Write(ctx, func(tx store.Tx) error {
		if err := tx.AddBlueprint(ctx, temp); err != nil {
			return err
		}
		return tx.UpdatePluginsUpdate(ctx, *u)
	})
}

// planWith parses the blueprint with imports of plugins that are narrowed.
func (e *Environment) planWith(ctx context.Context, b store.Blueprint, rules versions) (*plan.Plan, error) {
	dir, err := e.Library.Unpacked(ctx, b.ArchiveHash, b.ArchiveSuffix)
	if err != nil {
		return nil, err
	}
	narrowed := *e
	narrowed.Parse.Resolver = narrowing{e.Parse.Resolver, rules}
	p, _, err := narrowed.parse(ctx, b, dir)
	return p, err
}

// narrowing is a resolver whose plugins have other versions.
type narrowing struct {
	imports.Resolver
	rules versions
}

// ForTenant implements imports.TenantResolver.
func (n narrowing) ForTenant(tenant string) imports.Resolver {
	return narrowing{imports.ForTenant(n.Resolver, tenant), n.rules}
}

// Fetch implements imports.Resolver.
func (n narrowing) Fetch(ctx context.Context, url, dslVersion string) (*imports.Document, error) {
	if rest, ok := strings.CutPrefix(url, "plugin:"); ok {
		q, err := imports.ParsePluginQuery(rest)
		if err != nil {
			return nil, err
		}
		url = "plugin:" + n.rules.narrow(q).String()
	}
	return n.Resolver.Fetch(ctx, url, dslVersion)
}

func (e *Environment) deploymentsOf(ctx context.Context, blueprint string, u store.PluginsUpdate) ([]store.Deployment, error) {
	q := store.Query{Tenants: []string{u.Tenant}, Filters: []store.Filter{{Field: "blueprint_id", Values: []string{blueprint}}}}
	if u.AllTenants {
		q.Tenants = nil
	}
	page, err := e.Store.ListDeployments(ctx, q)
	slices.SortFunc(page.Items, func(a, b store.Deployment) int { return strings.Compare(a.Tenant+" "+a.ID, b.Tenant+" "+b.ID) })
	return page.Items, err
}

// updateDeployments updates what still has the old blueprint, one after the
// other. Nothing of the deployments is installed anew.
func (e *Environment) updateDeployments(ctx context.Context, x store.Execution, h execution.SystemHost, u store.PluginsUpdate) error {
	deployments, err := e.deploymentsOf(ctx, u.BlueprintID, u)
	if err != nil {
		return err
	}
	for _, d := range deployments {
		h.Log("info", fmt.Sprintf("Updating deployment %s", d.ID))
		id, err := e.deploymentsUpdate(ctx, x, d, u)
		if err != nil {
			return fmt.Errorf("update deployment %s: %w", d.ID, err)
		}
		done, err := e.Updates.Wait(ctx, id)
		if err != nil {
			return fmt.Errorf("wait for the update of deployment %s: %w", d.ID, err)
		}
		if done.Status != store.Terminated {
			reason := string(done.Status)
			if done.Error != nil {
				reason += ": " + *done.Error
			}
			return fmt.Errorf("the update of deployment %s ended as %s (execution %s)", d.ID, reason, done.ID)
		}
	}
	return nil
}

// deploymentsUpdate starts the update of one deployment, or finds the one that
// an earlier run has started; it returns its execution's id.
func (e *Environment) deploymentsUpdate(ctx context.Context, x store.Execution, d store.Deployment, u store.PluginsUpdate) (string, error) {
	known, err := e.Store.ListDeploymentUpdates(ctx, store.Query{Tenants: []string{d.Tenant}, Filters: []store.Filter{
		{Field: "deployment_id", Values: []string{d.ID}}, {Field: "new_blueprint_id", Values: []string{u.TempBlueprintID}},
		{Field: "state", Values: activePluginsUpdates},
	}})
	if err != nil {
		return "", err
	}
	for _, one := range known.Items {
		if one.ExecutionID != "" {
			return one.ExecutionID, nil
		}
	}
	parameters := map[string]any{
		"blueprint_id": u.TempBlueprintID, "skip_install": true, "skip_uninstall": true, "skip_reinstall": true, "update_plugins": true,
		"runtime_only_evaluation": d.RuntimeOnlyEvaluation,
	}
	for _, name := range []string{"force", "auto_correct_types", "reevaluate_active_statuses"} {
		parameters[name] = x.Parameters[name] == true
	}
	started, err := e.Updates.StartUpdate(ctx, execution.StartRequest{
		Tenant: d.Tenant, DeploymentID: d.ID, Parameters: parameters, Force: u.Forced, CreatedBy: x.CreatedBy, Caller: x.ID,
	})
	return started.ExecutionID, err
}

// finishPluginsUpdate gives the blueprint the new plan and the deployments the
// blueprint, and removes the hidden one.
func (e *Environment) finishPluginsUpdate(ctx context.Context, h execution.SystemHost, u store.PluginsUpdate) error {
	return h.Write(ctx, func(tx store.Tx) error {
		b, err := tx.GetBlueprint(ctx, u.Tenant, u.BlueprintID)
		if err != nil {
			return err
		}
		temp, err := tx.GetBlueprint(ctx, u.Tenant, u.TempBlueprintID)
		if errors.Is(err, store.ErrNotFound) {
			return nil // an earlier run came this far
		} else if err != nil {
			return err
		}
		b.Plan, b.UpdatedAt = temp.Plan, e.Now()
		if err := tx.UpdateBlueprint(ctx, b); err != nil {
			return err
		}
		if err := execution.MoveDeployments(ctx, tx, u, e.Now()); err != nil {
			return err
		}
		if err := tx.DeleteBlueprint(ctx, u.Tenant, u.TempBlueprintID); err != nil {
			return err
		}
		u.State, u.TempBlueprintID = store.UpdateSuccessful, ""
		return tx.UpdatePluginsUpdate(ctx, u)
	})
}
