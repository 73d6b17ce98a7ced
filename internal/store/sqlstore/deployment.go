package sqlstore

import (
	"context"
	"fmt"

	"windlass/internal/store"
)

var deploymentColumns = columnsOf([]string{"tenant", "id"}, ownedColumns, []string{
	"display_name", "description", "blueprint_id", "site_name", "updated_at", "runtime_only_evaluation", "installation_status",
	"deployment_status", "latest_execution_id", "create_execution_id", "unavailable_instances", "drifted_instances", "labels",
	"inputs", "outputs", "capabilities", "resource_tags", "deployment_settings", "node_groups", "scaling_groups",
	"policy_types", "policy_triggers", "workflows",
})

func deploymentValues(d store.Deployment) []any {
	return append(append([]any{d.Tenant, d.ID}, ownedValues(d.Owned)...),
		d.DisplayName, textArg(d.Description), d.BlueprintID, d.SiteName, timeArg(d.UpdatedAt), d.RuntimeOnlyEvaluation,
		d.InstallationStatus, d.DeploymentStatus, d.LatestExecutionID, d.CreateExecutionID, d.UnavailableInstances,
		d.DriftedInstances, jsonArg(d.Labels), mapArg(d.Inputs), jsonArg(d.Outputs), jsonArg(d.Capabilities),
		mapArg(d.ResourceTags), mapArg(d.DeploymentSettings), jsonArg(d.Groups), jsonArg(d.ScalingGroups),
		jsonArg(d.PolicyTypes), jsonArg(d.PolicyTriggers), jsonArg(d.Workflows))
}

var deployments = view[store.Deployment]{
	listing: &listing{
		kind: "Deployment", from: "deployments t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		joins: map[string]string{"latest": "LEFT JOIN executions lx ON lx.id = t.latest_execution_id"},
		fields: ownedFields(map[string]column{
			"id":                           {expr: "t.id"},
			"blueprint_id":                 {expr: "t.blueprint_id"},
			"site_name":                    {expr: "t.site_name"},
			"display_name":                 {expr: "t.display_name"},
			"description":                  {expr: "t.description", nullable: true},
			"installation_status":          {expr: "t.installation_status"},
			"deployment_status":            {expr: "t.deployment_status"},
			"runtime_only_evaluation":      {expr: "t.runtime_only_evaluation", kind: boolean},
			"create_execution":             {expr: "t.create_execution_id"},
			"latest_execution":             {expr: "t.latest_execution_id"},
			"latest_execution_workflow_id": {expr: "lx.workflow_id", join: "latest", nullable: true},
			"unavailable_instances":        {expr: "t.unavailable_instances", kind: number},
			"drifted_instances":            {expr: "t.drifted_instances", kind: number},
			"created_at":                   {expr: "t.created_at", kind: instant},
			"updated_at":                   {expr: "t.updated_at", kind: instant, nullable: true},
		}),
		order: byCreation,
	},
	from: "deployments t\n LEFT JOIN executions lx ON lx.id = t.latest_execution_id LEFT JOIN progress lp ON lp.num = lx.num",
	columns: qualified("t", deploymentColumns) +
		", lx.status, lx.workflow_id, lp.total_operations, lp.finished_operations",
	targets: func(d *store.Deployment) []any {
		return append(append([]any{&d.Tenant, &d.ID}, ownedTargets(&d.Owned)...),
			&d.DisplayName, &d.Description, &d.BlueprintID, &d.SiteName, timeCell{&d.UpdatedAt}, &d.RuntimeOnlyEvaluation,
			&d.InstallationStatus, &d.DeploymentStatus, &d.LatestExecutionID, &d.CreateExecutionID, &d.UnavailableInstances,
			&d.DriftedInstances, jsonTo(&d.Labels), mapCell{&d.Inputs}, jsonTo(&d.Outputs), jsonTo(&d.Capabilities),
			mapCell{&d.ResourceTags}, mapCell{&d.DeploymentSettings}, jsonShared(&d.Groups), jsonTo(&d.ScalingGroups),
			jsonShared(&d.PolicyTypes), jsonShared(&d.PolicyTriggers), jsonShared(&d.Workflows),
			textCell{&d.LatestExecutionStatus}, textCell{&d.LatestExecutionWorkflow}, intCell{&d.LatestExecutionTotal},
			intCell{&d.LatestExecutionFinished})
	},
}

// GetDeployment reads the tenant's deployment, or a global one.
func (r Reader) GetDeployment(ctx context.Context, tenant, id string) (store.Deployment, error) {
	return pick(ctx, r, deployments, id, deployments.visible("t.id"), id, tenant, tenant)
}

// ListDeployments lists deployments.
func (r Reader) ListDeployments(ctx context.Context, q store.Query) (store.Page[store.Deployment], error) {
	return page(ctx, r, deployments, q)
}

// AddDeployment adds a deployment, or gives ErrExists.
func (t *Tx) AddDeployment(ctx context.Context, d store.Deployment) error {
	added, err := insert(ctx, t.conn, "deployments", deploymentColumns, deploymentValues(d))
	return taken(added, err, "Deployment", d.ID)
}

// UpdateDeployment replaces a deployment, or gives ErrNotFound.
func (t *Tx) UpdateDeployment(ctx context.Context, d store.Deployment) error {
	n, err := t.conn.Exec(ctx, updateStatement("deployments", deploymentColumns[2:], "tenant = ? AND id = ?"),
		append(deploymentValues(d)[2:], d.Tenant, d.ID)...)
	return one(n, err, "Deployment", d.ID, store.ErrNotFound)
}

// DeleteDeployment removes a deployment with nodes, instances, executions,
// their graphs, operations and events, or gives ErrNotFound.
func (t *Tx) DeleteDeployment(ctx context.Context, tenant, id string) error {
	if err := t.deleteExecutions(ctx, "tenant = ? AND deployment_id = ?", tenant, id); err != nil {
		return err
	}
	for _, table := range []string{"deployment_group_members", "execution_schedules", "deployment_modifications", "deployment_updates", "node_instances", "nodes"} {
		if _, err := t.conn.Exec(ctx, "DELETE FROM "+table+" WHERE deployment_id = ? AND tenant = ?", id, tenant); err != nil {
			return err
		}
	}
	if err := t.forgetDependencies(ctx, tenant, id); err != nil {
		return err
	}
	n, err := t.conn.Exec(ctx, "DELETE FROM deployments WHERE tenant = ? AND id = ?", tenant, id)
	return one(n, err, "Deployment", id, store.ErrNotFound)
}

// RefreshDeploymentStatus recomputes what a deployment shows of its instances
// and its latest execution, or gives ErrNotFound.
func (t *Tx) RefreshDeploymentStatus(ctx context.Context, tenant, id string) error {
	n, err := t.conn.Exec(ctx, fmt.Sprintf(refreshStatus, "", "deployments.latest_execution_id"), id, tenant, id, tenant, id, tenant, tenant, id)
	return one(n, err, "Deployment", id, store.ErrNotFound)
}

// SetLatestExecution names a deployment's latest execution and recomputes what
// it shows of it and of its instances, or gives ErrNotFound.
func (t *Tx) SetLatestExecution(ctx context.Context, tenant, id, executionID string) error {
	n, err := t.conn.Exec(ctx, fmt.Sprintf(refreshStatus, "latest_execution_id = ?,", "?"),
		executionID, executionID, executionID, id, tenant, id, tenant, id, tenant, tenant, id)
	return one(n, err, "Deployment", id, store.ErrNotFound)
}

// refreshStatus sets the status by what needs attention: the latest execution,
// then whether everything is started.
const refreshStatus = `UPDATE deployments SET %[1]s
	installation_status = CASE WHEN v.unstarted THEN 'inactive' ELSE 'active' END,
	deployment_status = CASE
		WHEN EXISTS (SELECT 1 FROM executions x WHERE x.id = %[2]s AND (x.is_active OR x.status = 'queued')) THEN 'in_progress'
		WHEN v.unstarted OR EXISTS (SELECT 1 FROM executions x WHERE x.id = %[2]s AND x.status = 'failed') THEN 'requires_attention'
		ELSE 'good' END,
	unavailable_instances = v.unavailable, drifted_instances = v.drifted
	FROM (SELECT
		(SELECT COUNT(*) FROM node_instances i WHERE i.deployment_id = ? AND i.tenant = ? AND NOT i.status_ok) AS unavailable,
		(SELECT COUNT(*) FROM node_instances i WHERE i.deployment_id = ? AND i.tenant = ? AND i.drifted) AS drifted,
		EXISTS (SELECT 1 FROM node_instances i WHERE i.deployment_id = ? AND i.tenant = ? AND i.state <> 'started') AS unstarted) AS v
	WHERE deployments.tenant = ? AND deployments.id = ?`
