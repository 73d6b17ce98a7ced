package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/value"
)

var instanceColumns = []string{
	"tenant", "id", "visibility", "created_by", "deployment_id", "node_id", "host_id", "node_index", "state", "version",
	"status_ok", "drifted", "relationships", "scaling_groups", "system_properties", "runtime_properties",
}

func instanceValues(n store.NodeInstance) []any {
	return []any{
		n.Tenant, n.ID, string(n.Visibility), n.CreatedBy, n.DeploymentID, n.NodeID, n.HostID, n.Index, n.State, n.Version,
		isStatusOK(n.SystemProperties), isDrifted(n.SystemProperties), jsonArg(n.Relationships), jsonArg(n.ScalingGroups),
		mapArg(n.SystemProperties), mapArg(n.RuntimeProperties),
	}
}

var instances = view[store.NodeInstance]{
	listing: &listing{
		kind: "NodeInstance", from: "node_instances t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":            {expr: "t.id"},
			"deployment_id": {expr: "t.deployment_id"},
			"node_id":       {expr: "t.node_id"},
			"host_id":       {expr: "t.host_id"},
			"state":         {expr: "t.state"},
			"index":         {expr: "t.node_index", kind: number},
			"version":       {expr: "t.version", kind: number},

			"is_status_check_ok":      {expr: "t.status_ok", kind: boolean},
			"has_configuration_drift": {expr: "t.drifted", kind: boolean},
		}),
		order: []column{{expr: "t.num", kind: number}},
	},
	from: "node_instances t", columns: qualified("t", instanceColumns),
	targets: func(n *store.NodeInstance) []any {
		var computed bool
		return []any{
			&n.Tenant, &n.ID, &n.Visibility, &n.CreatedBy, &n.DeploymentID, &n.NodeID, &n.HostID, &n.Index, &n.State, &n.Version,
			&computed, &computed, jsonTo(&n.Relationships), jsonTo(&n.ScalingGroups),
			mapCell{&n.SystemProperties}, mapCell{&n.RuntimeProperties},
		}
	},
}

// isStatusOK tells whether the last status check went well; never checked is no.
func isStatusOK(system map[string]any) bool {
	status, _ := system["status"].(map[string]any)
	ok, _ := status["ok"].(bool)
	return ok
}

// isDrifted tells whether the instance or one of its relationships was found
// to differ from its configuration.
func isDrifted(system map[string]any) bool {
	if own, is := system["configuration_drift"].(map[string]any); is && showsDrift(own) {
		return true
	}
	for _, key := range []string{"source_relationships_configuration_drift", "target_relationships_configuration_drift"} {
		entries, _ := system[key].(map[string]any)
		for _, e := range entries {
			if entry, is := e.(map[string]any); is && showsDrift(entry) {
				return true
			}
		}
	}
	return false
}

func showsDrift(check map[string]any) bool {
	ok, given := check["ok"].(bool)
	return given && !ok || check["result"] != nil
}

// GetInstance reads an instance of the tenant, or a global one.
func (r Reader) GetInstance(ctx context.Context, tenant, id string) (store.NodeInstance, error) {
	return pick(ctx, r, instances, id, instances.visible("t.id"), id, tenant, tenant)
}

// ListInstances lists instances, by default in the order of insertion.
func (r Reader) ListInstances(ctx context.Context, q store.Query) (store.Page[store.NodeInstance], error) {
	return page(ctx, r, instances, q)
}

// InstanceStates lists the states of deployments' instances.
func (r Reader) InstanceStates(ctx context.Context, deployments []store.DeploymentKey) (map[store.DeploymentKey][]string, error) {
	return r.listsOf(ctx, deployments, "SELECT DISTINCT tenant, deployment_id, state FROM node_instances WHERE %s")
}

// AddInstances adds instances; versions below 1 become 1. If ids are taken it
// gives ErrExists for one of them and adds none.
func (t *Tx) AddInstances(ctx context.Context, added []store.NodeInstance) error {
	if id, err := t.takenInstance(ctx, added); err != nil || id != "" {
		return taken(id == "", err, "NodeInstance", id)
	}
	args := make([]any, 0, len(added)*len(instanceColumns))
	for _, n := range added {
		n.Version = max(n.Version, 1)
		args = append(args, instanceValues(n)...)
	}
	n, err := insertRows(ctx, t.conn, "node_instances", instanceColumns, args)
	if err == nil && int(n) < len(added) { // taken meanwhile by another manager
		return recordError("NodeInstance", added[0].ID, store.ErrExists)
	}
	return err
}

func (t *Tx) takenInstance(ctx context.Context, added []store.NodeInstance) (string, error) {
	ids := map[string][]string{}
	for _, n := range added {
		ids[n.Tenant] = append(ids[n.Tenant], n.ID)
	}
	for tenant, mine := range ids {
		slices.Sort(mine)
		for i := 1; i < len(mine); i++ {
			if mine[i] == mine[i-1] {
				return mine[i], nil
			}
		}
		found, err := texts(ctx, t.conn, "SELECT id FROM node_instances WHERE tenant = ? AND "+fmt.Sprintf(t.dialect.Member, "id")+" LIMIT 1",
			tenant, jsonTexts(mine))
		if err != nil || len(found) > 0 {
			return strings.Join(found, ""), err
		}
	}
	return "", nil
}

// UpdateInstance changes parts of an instance.
func (t *Tx) UpdateInstance(ctx context.Context, u store.InstanceUpdate) (store.NodeInstance, error) {
	n, err := pick(ctx, t.Reader, instances, u.ID, "t.tenant = ? AND t.id = ?"+t.dialect.ForUpdate, u.Tenant, u.ID)
	if err != nil {
		return n, err
	}
	if n.Version > u.Version && !u.Force {
		return n, recordError("NodeInstance", u.ID,
			fmt.Errorf("%w [current version=%d, update version=%d]", store.ErrVersion, n.Version, u.Version))
	}
	if !change(&n, u) {
		return n, nil
	}
	n.Version++
	_, err = t.conn.Exec(ctx, `UPDATE node_instances SET state = ?, version = ?, status_ok = ?, drifted = ?, relationships = ?,
		system_properties = ?, runtime_properties = ? WHERE tenant = ? AND id = ?`,
		n.State, n.Version, isStatusOK(n.SystemProperties), isDrifted(n.SystemProperties), jsonArg(n.Relationships),
		mapArg(n.SystemProperties), mapArg(n.RuntimeProperties), n.Tenant, n.ID)
	return n, err
}

// change applies what u sets and tells whether anything is different now. The
// instance takes on the stored form of what it is given.
func change(n *store.NodeInstance, u store.InstanceUpdate) (changed bool) {
	if u.State != "" && u.State != n.State {
		n.State, changed = u.State, true
	}
	for _, part := range []struct {
		have *map[string]any
		want map[string]any
	}{{&n.RuntimeProperties, u.RuntimeProperties}, {&n.SystemProperties, u.SystemProperties}} {
		if part.want == nil {
			continue
		}
		want, err := value.DecodeMap(value.Encode(part.want))
		if err == nil && (*part.have == nil || !value.Equal(*part.have, want)) {
			*part.have, changed = want, true
		}
	}
	if u.Relationships != nil && !sameRelationships(n.Relationships, u.Relationships) {
		n.Relationships, changed = u.Relationships, true
	}
	return changed
}

func sameRelationships(a, b []plan.InstanceRelationship) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && string(x) == string(y)
}

// DeleteInstances removes instances; ids that there are not are no error.
func (t *Tx) DeleteInstances(ctx context.Context, tenant string, ids []string) error {
	_, err := t.conn.Exec(ctx, "DELETE FROM node_instances WHERE tenant = ? AND "+fmt.Sprintf(t.dialect.Member, "id"), tenant, jsonTexts(ids))
	return err
}
