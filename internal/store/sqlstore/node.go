package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"windlass/internal/store"
)

var nodeColumns = []string{
	"tenant", "deployment_id", "id", "visibility", "created_by", "blueprint_id", "type", "host_id", "position",
	"current_instances", "planned_instances", "deploy_instances", "min_instances", "max_instances", "type_hierarchy",
	"properties", "operations", "relationships", "plugins", "plugins_to_install",
}

func nodeValues(n store.Node) []any {
	return []any{
		n.Tenant, n.DeploymentID, n.ID, string(n.Visibility), n.CreatedBy, n.BlueprintID, n.Type, n.HostID, n.Position,
		n.Scalable.Current, n.Scalable.Planned, n.Scalable.Deploy, n.Scalable.Min, n.Scalable.Max, jsonArg(n.TypeHierarchy),
		mapArg(n.Properties), jsonArg(n.Operations), jsonArg(n.Relationships), jsonArg(n.Plugins), jsonArg(n.PluginsToInstall),
	}
}

// countInstances counts a node's instances in the index of instances by node.
func countInstances(condition string) string {
	return "(SELECT COUNT(*) FROM node_instances i WHERE i.deployment_id = t.deployment_id AND i.tenant = t.tenant AND i.node_id = t.id" + condition + ")"
}

var nodes = view[store.Node]{
	listing: &listing{
		kind: "Node", from: "nodes t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":            {expr: "t.id"},
			"deployment_id": {expr: "t.deployment_id"},
			"blueprint_id":  {expr: "t.blueprint_id"},
			"type":          {expr: "t.type"},
			"host_id":       {expr: "t.host_id"},

			"number_of_instances":         {expr: "t.current_instances", kind: number},
			"planned_number_of_instances": {expr: "t.planned_instances", kind: number},
			"deploy_number_of_instances":  {expr: "t.deploy_instances", kind: number},
			"min_number_of_instances":     {expr: "t.min_instances", kind: number},
			"max_number_of_instances":     {expr: "t.max_instances", kind: number},
		}),
		order: []column{{expr: "t.num", kind: number}},
	},
	from: "nodes t",
	columns: qualified("t", nodeColumns) + ", " + countInstances("") + ", " + countInstances(" AND NOT i.status_ok") + ", " +
		countInstances(" AND i.drifted"),
	targets: func(n *store.Node) []any {
		return []any{
			&n.Tenant, &n.DeploymentID, &n.ID, &n.Visibility, &n.CreatedBy, &n.BlueprintID, &n.Type, &n.HostID, &n.Position,
			&n.Scalable.Current, &n.Scalable.Planned, &n.Scalable.Deploy, &n.Scalable.Min, &n.Scalable.Max, jsonTo(&n.TypeHierarchy),
			mapCell{&n.Properties}, jsonTo(&n.Operations), jsonTo(&n.Relationships), jsonTo(&n.Plugins), jsonTo(&n.PluginsToInstall),
			&n.ActualInstances, &n.UnavailableInstances, &n.DriftedInstances,
		}
	},
}

// GetNode reads a node of the tenant's deployment, or of a global one.
func (r Reader) GetNode(ctx context.Context, tenant, deployment, id string) (store.Node, error) {
	return pick(ctx, r, nodes, id, "t.deployment_id = ? AND "+nodes.visible("t.id"), deployment, id, tenant, tenant)
}

// ListNodes lists nodes, by default in the order of insertion.
func (r Reader) ListNodes(ctx context.Context, q store.Query) (store.Page[store.Node], error) {
	return page(ctx, r, nodes, q)
}

// NodesOfType lists nodes by a type that they have or are derived from.
func (r Reader) NodesOfType(ctx context.Context, d store.DeploymentKey, typeName string) ([]string, error) {
	return texts(ctx, r.conn, "SELECT id FROM nodes WHERE deployment_id = ? AND tenant = ? AND "+
		fmt.Sprintf(r.dialect.Contains, "type_hierarchy")+" ORDER BY num", d.ID, d.Tenant, strconv.Quote(typeName))
}

// NodeTypes lists the types of deployments' nodes, with those above them.
func (r Reader) NodeTypes(ctx context.Context, deployments []store.DeploymentKey) (map[store.DeploymentKey][]string, error) {
	hierarchies, err := r.listsOf(ctx, deployments, "SELECT DISTINCT tenant, deployment_id, type_hierarchy FROM nodes WHERE type_hierarchy IS NOT NULL AND %s")
	if err != nil {
		return nil, err
	}
	read := map[string][]string{} // few differ
	types := make(map[store.DeploymentKey][]string, len(hierarchies))
	for d, encoded := range hierarchies {
		for _, text := range encoded {
			names, known := read[text]
			if !known {
				if err := json.Unmarshal([]byte(text), &names); err != nil {
					return nil, fmt.Errorf("read the types of a node of deployment %s: %w", d.ID, err)
				}
				read[text] = names
			}
			for _, name := range names {
				if !slices.Contains(types[d], name) {
					types[d] = append(types[d], name)
				}
			}
		}
	}
	return types, nil
}

// AddNodes adds nodes. It gives ErrExists if one is there.
func (t *Tx) AddNodes(ctx context.Context, added []store.Node) error {
	args := make([]any, 0, len(added)*len(nodeColumns))
	for _, n := range added {
		args = append(args, nodeValues(n)...)
	}
	n, err := insertRows(ctx, t.conn, "nodes", nodeColumns, args)
	if err == nil && int(n) < len(added) {
		return recordError("Node", added[0].DeploymentID, store.ErrExists)
	}
	return err
}

// UpdateNode replaces a node, or gives ErrNotFound.
func (t *Tx) UpdateNode(ctx context.Context, n store.Node) error {
	changed, err := t.conn.Exec(ctx, updateStatement("nodes", nodeColumns[3:], "deployment_id = ? AND id = ? AND tenant = ?"),
		append(nodeValues(n)[3:], n.DeploymentID, n.ID, n.Tenant)...)
	return one(changed, err, "Node", n.ID, store.ErrNotFound)
}

// DeleteNodes removes nodes; ids that there are not are no error.
func (t *Tx) DeleteNodes(ctx context.Context, tenant, deployment string, ids []string) error {
	_, err := t.conn.Exec(ctx, "DELETE FROM nodes WHERE tenant = ? AND deployment_id = ? AND "+fmt.Sprintf(t.dialect.Member, "id"),
		tenant, deployment, jsonTexts(ids))
	return err
}
