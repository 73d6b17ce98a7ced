package python

import (
	"fmt"
	"net/url"
	"strconv"

	"windlass/internal/blueprint/plan"
	"windlass/internal/value"
	"windlass/internal/workflow"
)

// describe is all that a workflow knows from the start.
func (s *conversation) describe() (any, error) {
	d := s.deployment
	told, err := describeDeployment(d)
	if err != nil {
		return nil, err
	}
	host, port := any(nil), any(nil)
	if u, err := url.Parse(s.about.RestURL); err == nil && s.about.RestURL != "" {
		host = u.Hostname()
		if n, err := strconv.ParseInt(u.Port(), 10, 64); err == nil {
			port = n
		}
	}
	token := orNil(s.about.Token)
	told["facts"] = map[string]any{
		"type": "deployment", "task_type": "workflow", "task_name": s.function, "execution_id": d.ExecutionID, "workflow_id": d.WorkflowID,
		"tenant_name": orNil(s.about.Tenant), "execution_creator_username": orNil(s.about.ExecutionCreator),
		"dry_run": d.DryRun, "resume": d.Resume, "local": s.about.RestURL == "", "bypass_maintenance": false,
		"wait_after_fail": int64(s.about.WaitAfterFail), "rest_host": host, "rest_port": port, "rest_token": token, "execution_token": token,
	}
	told["rest_url"] = orNil(s.about.RestURL)
	told["parameters"] = orEmpty(s.parameters)
	told["blueprint"] = map[string]any{"id": orNil(s.about.BlueprintID)}
	told["deployment"] = map[string]any{
		"id": d.ID, "tenant_name": orNil(s.about.Tenant), "display_name": orDefault(s.about.DeploymentDisplayName, d.ID),
		"creator": orNil(s.about.DeploymentCreator), "resource_tags": orEmpty(s.about.ResourceTags),
		"runtime_only_evaluation": s.about.RuntimeOnlyEvaluation, "scaling_groups": told["scaling_groups"],
	}
	told["settings"] = map[string]any{
		"task_retries": int64(d.Settings.TaskRetries), "subgraph_retries": int64(d.Settings.SubgraphRetries),
		"retry_interval": d.Settings.RetryInterval.Seconds(),
	}
	return told, nil
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// describeDeployment gives the nodes and instances of a deployment.
func describeDeployment(d *workflow.Deployment) (map[string]any, error) {
	nodes := make([]any, 0, len(d.Nodes))
	for _, id := range value.SortedKeys(d.Nodes) {
		n := d.Nodes[id]
		operations, err := value.Of(n.Operations)
		if err != nil {
			return nil, fmt.Errorf("describe the operations of node %s: %w", id, err)
		}
		plugins, err := value.Of(n.Plugins)
		if err != nil {
			return nil, fmt.Errorf("describe the plugins of node %s: %w", id, err)
		}
		relationships := make([]any, len(n.Relationships))
		for i, r := range n.Relationships {
			if relationships[i], err = describeRelationship(r); err != nil {
				return nil, fmt.Errorf("describe the relationships of node %s: %w", id, err)
			}
		}
		nodes = append(nodes, map[string]any{
			"id": n.ID, "type": n.Type, "type_hierarchy": texts(n.TypeHierarchy), "properties": orEmpty(n.Properties),
			"operations": orList(operations, map[string]any{}), "plugins": orList(plugins, []any{}), "relationships": relationships,
			"host_id": orNil(n.HostID), "number_of_instances": int64(n.Count),
		})
	}
	instances := make([]any, len(d.Instances))
	for i, instance := range d.Instances {
		instances[i] = describeInstance(plan.NodeInstance{
			ID: instance.ID, NodeID: instance.NodeID, HostID: instance.HostID, Relationships: instance.Relationships,
			ScalingGroups: instance.ScalingGroups,
		}, instance.State, instance.SystemProperties)
	}
	groups, err := value.Of(d.Groups)
	if err != nil {
		return nil, fmt.Errorf("describe the scaling groups of %s: %w", d.ID, err)
	}
	return map[string]any{"nodes": nodes, "instances": instances, "scaling_groups": orList(groups, map[string]any{})}, nil
}

// orList is v, or otherwise where v is nil.
func orList(v, otherwise any) any {
	if v == nil {
		return otherwise
	}
	return v
}

func texts(list []string) []any {
	all := make([]any, len(list))
	for i, s := range list {
		all[i] = s
	}
	return all
}

func describeRelationship(r plan.Relationship) (any, error) {
	source, err := value.Of(r.SourceOperations)
	if err != nil {
		return nil, err
	}
	target, err := value.Of(r.TargetOperations)
	return map[string]any{
		"type": r.Type, "type_hierarchy": texts(r.TypeHierarchy), "target_id": r.TargetID, "properties": orEmpty(r.Properties),
		"source_operations": orList(source, map[string]any{}), "target_operations": orList(target, map[string]any{}),
	}, err
}

func describeInstance(i plan.NodeInstance, state string, system map[string]any) any {
	relationships := make([]any, len(i.Relationships))
	for k, r := range i.Relationships {
		relationships[k] = map[string]any{"type": r.Type, "target_name": r.TargetName, "target_id": r.TargetID}
	}
	groups := make([]any, len(i.ScalingGroups))
	for k, g := range i.ScalingGroups {
		groups[k] = map[string]any{"id": g.ID, "name": g.Name}
	}
	return map[string]any{
		"id": i.ID, "node_id": i.NodeID, "host_id": orNil(i.HostID), "state": state, "system_properties": orEmpty(system),
		"relationships": relationships, "scaling_groups": groups, "modification": orNil(i.Modification),
	}
}

// describeModification gives a modification with the states that its instances
// have now.
func (s *conversation) describeModification(m *workflow.Modification) any {
	states := map[string]string{}
	if d, err := s.host.Deployment(s.ctx); err == nil {
		for _, i := range d.Instances {
			states[i.ID] = i.State
		}
	}
	list := func(instances []plan.NodeInstance) []any {
		described := make([]any, len(instances))
		for i, instance := range instances {
			if instance.NodeID == "" {
				instance.NodeID = instance.Name
			}
			described[i] = describeInstance(instance, states[instance.ID], nil)
		}
		return described
	}
	return map[string]any{"id": m.ID, "added": list(m.Added), "removed": list(m.Removed)}
}
