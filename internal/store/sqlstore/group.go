package sqlstore

import (
	"context"
	"fmt"

	"windlass/internal/store"
)

var deploymentGroupColumns = columnsOf([]string{"tenant", "id"}, ownedColumns, []string{
	"description", "blueprint_id", "default_inputs", "creation_counter", "labels",
})

func deploymentGroupValues(g store.DeploymentGroup) []any {
	return append(append([]any{g.Tenant, g.ID}, ownedValues(g.Owned)...),
		g.Description, g.BlueprintID, mapArg(g.DefaultInputs), g.CreationCounter, jsonArg(g.Labels))
}

var deploymentGroups = view[store.DeploymentGroup]{
	listing: &listing{
		kind: "DeploymentGroup", from: "deployment_groups t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{"id": {expr: "t.id"}, "created_at": {expr: "t.created_at", kind: instant}}),
		order:  byCreation,
	},
	from: "deployment_groups t", columns: qualified("t", deploymentGroupColumns),
	targets: func(g *store.DeploymentGroup) []any {
		return append(append([]any{&g.Tenant, &g.ID}, ownedTargets(&g.Owned)...),
			&g.Description, &g.BlueprintID, mapCell{&g.DefaultInputs}, &g.CreationCounter, jsonCell[[]store.Label]{&g.Labels})
	},
}

// GetDeploymentGroup reads the tenant's group, or a global one.
func (r Reader) GetDeploymentGroup(ctx context.Context, tenant, id string) (store.DeploymentGroup, error) {
	return pick(ctx, r, deploymentGroups, id, deploymentGroups.visible("t.id"), id, tenant, tenant)
}

// ListDeploymentGroups lists groups.
func (r Reader) ListDeploymentGroups(ctx context.Context, q store.Query) (store.Page[store.DeploymentGroup], error) {
	return page(ctx, r, deploymentGroups, q)
}

// GroupMembers lists a group's deployments.
func (r Reader) GroupMembers(ctx context.Context, tenant, id string) ([]string, error) {
	return texts(ctx, r.conn, "SELECT deployment_id FROM deployment_group_members WHERE tenant = ? AND group_id = ? ORDER BY deployment_id", tenant, id)
}

// GroupsOf lists the groups that deployments are in.
func (r Reader) GroupsOf(ctx context.Context, deployments []store.DeploymentKey) (map[store.DeploymentKey][]string, error) {
	return r.listsOf(ctx, deployments, "SELECT tenant, deployment_id, group_id FROM deployment_group_members WHERE %s ORDER BY group_id")
}

// listsOf collects a text of each row by its deployment. The query gives tenant,
// deployment and text, with %s for the condition on deployment_id.
func (r Reader) listsOf(ctx context.Context, deployments []store.DeploymentKey, query string) (map[store.DeploymentKey][]string, error) {
	type member struct {
		of   store.DeploymentKey
		text string
	}
	ids, asked := make([]string, len(deployments)), make(map[store.DeploymentKey]bool, len(deployments))
	for i, d := range deployments {
		ids[i], asked[d] = d.ID, true
	}
	found, err := all(ctx, r.conn, func(m *member) []any { return []any{&m.of.Tenant, &m.of.ID, &m.text} },
		fmt.Sprintf(query, fmt.Sprintf(r.dialect.Member, "deployment_id")), jsonTexts(ids))
	lists := map[store.DeploymentKey][]string{}
	for _, m := range found {
		if asked[m.of] {
			lists[m.of] = append(lists[m.of], m.text)
		}
	}
	return lists, err
}

// AddDeploymentGroup adds a group, or gives ErrExists.
func (t *Tx) AddDeploymentGroup(ctx context.Context, g store.DeploymentGroup) error {
	added, err := insert(ctx, t.conn, "deployment_groups", deploymentGroupColumns, deploymentGroupValues(g))
	return taken(added, err, "DeploymentGroup", g.ID)
}

// UpdateDeploymentGroup replaces a group, or gives ErrNotFound.
func (t *Tx) UpdateDeploymentGroup(ctx context.Context, g store.DeploymentGroup) error {
	n, err := t.conn.Exec(ctx, updateStatement("deployment_groups", deploymentGroupColumns[2:], "tenant = ? AND id = ?"),
		append(deploymentGroupValues(g)[2:], g.Tenant, g.ID)...)
	return one(n, err, "DeploymentGroup", g.ID, store.ErrNotFound)
}

// DeleteDeploymentGroup removes a group, or gives ErrNotFound.
func (t *Tx) DeleteDeploymentGroup(ctx context.Context, tenant, id string) error {
	if _, err := t.conn.Exec(ctx, "DELETE FROM deployment_group_members WHERE tenant = ? AND group_id = ?", tenant, id); err != nil {
		return err
	}
	n, err := t.conn.Exec(ctx, "DELETE FROM deployment_groups WHERE tenant = ? AND id = ?", tenant, id)
	return one(n, err, "DeploymentGroup", id, store.ErrNotFound)
}

// AddGroupMembers adds deployments to a group.
func (t *Tx) AddGroupMembers(ctx context.Context, tenant, id string, deployments []string) error {
	return chunks(len(deployments), func(from, to int) error {
		var args []any
		for _, d := range deployments[from:to] {
			args = append(args, tenant, id, d)
		}
		_, err := t.conn.Exec(ctx, "INSERT INTO deployment_group_members (tenant, group_id, deployment_id) VALUES "+
			list("(?, ?, ?)", to-from)+" ON CONFLICT DO NOTHING", args...)
		return err
	})
}

// RemoveGroupMembers takes deployments out of a group.
func (t *Tx) RemoveGroupMembers(ctx context.Context, tenant, id string, deployments []string) error {
	_, err := t.conn.Exec(ctx, "DELETE FROM deployment_group_members WHERE tenant = ? AND group_id = ? AND "+
		fmt.Sprintf(t.dialect.Member, "deployment_id"), tenant, id, jsonTexts(deployments))
	return err
}

var executionGroupColumns = columnsOf([]string{"tenant", "id"}, ownedColumns, []string{
	"deployment_group_id", "workflow_id", "concurrency", "success_group_id", "failure_group_id",
})

func executionGroupValues(g store.ExecutionGroup) []any {
	return append(append([]any{g.Tenant, g.ID}, ownedValues(g.Owned)...),
		g.DeploymentGroupID, g.WorkflowID, g.Concurrency, g.SuccessGroupID, g.FailureGroupID)
}

var executionGroups = view[store.ExecutionGroup]{
	listing: &listing{
		kind: "ExecutionGroup", from: "execution_groups t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":                  {expr: "t.id"},
			"deployment_group_id": {expr: "t.deployment_group_id"},
			"workflow_id":         {expr: "t.workflow_id"},
			"created_at":          {expr: "t.created_at", kind: instant},
		}),
		order: byCreation,
	},
	from: "execution_groups t", columns: qualified("t", executionGroupColumns),
	targets: func(g *store.ExecutionGroup) []any {
		return append(append([]any{&g.Tenant, &g.ID}, ownedTargets(&g.Owned)...),
			&g.DeploymentGroupID, &g.WorkflowID, &g.Concurrency, &g.SuccessGroupID, &g.FailureGroupID)
	},
}

// GetExecutionGroup reads the tenant's group, or a global one.
func (r Reader) GetExecutionGroup(ctx context.Context, tenant, id string) (store.ExecutionGroup, error) {
	return pick(ctx, r, executionGroups, id, executionGroups.visible("t.id"), id, tenant, tenant)
}

// ListExecutionGroups lists groups.
func (r Reader) ListExecutionGroups(ctx context.Context, q store.Query) (store.Page[store.ExecutionGroup], error) {
	return page(ctx, r, executionGroups, q)
}

// FullGroups lists execution groups without a place: those that are paused, and
// those with enough active members.
func (r Reader) FullGroups(ctx context.Context) ([]string, error) {
	return texts(ctx, r.conn, `SELECT g.id FROM execution_groups g WHERE g.concurrency <= 0
		UNION SELECT g.id FROM (SELECT e.group_id, COUNT(*) AS members FROM executions e WHERE e.is_active AND e.group_id <> '' GROUP BY e.group_id) a
		JOIN execution_groups g ON g.id = a.group_id WHERE a.members >= g.concurrency`)
}

// AddExecutionGroup adds a group, or gives ErrExists.
func (t *Tx) AddExecutionGroup(ctx context.Context, g store.ExecutionGroup) error {
	added, err := insert(ctx, t.conn, "execution_groups", executionGroupColumns, executionGroupValues(g))
	return taken(added, err, "ExecutionGroup", g.ID)
}

// UpdateExecutionGroup replaces a group, or gives ErrNotFound.
func (t *Tx) UpdateExecutionGroup(ctx context.Context, g store.ExecutionGroup) error {
	n, err := t.conn.Exec(ctx, updateStatement("execution_groups", executionGroupColumns[2:], "tenant = ? AND id = ?"),
		append(executionGroupValues(g)[2:], g.Tenant, g.ID)...)
	return one(n, err, "ExecutionGroup", g.ID, store.ErrNotFound)
}
