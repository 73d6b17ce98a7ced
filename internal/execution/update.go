package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/preparation"
	"windlass/internal/store"
	"windlass/internal/topology"
	"windlass/internal/value"
	"windlass/internal/workflow"
)

// updateRecord is the name under which an execution keeps what its update does.
const updateRecord = "deployment_update"

// updatePlan is what an update does, with what is left for its end.
type updatePlan struct {
	ID        string              `json:"id"`
	Preview   bool                `json:"preview"`
	Result    topology.Result     `json:"node_instances"`
	Changed   []string            `json:"changed_nodes"`
	Linked    map[string][]string `json:"linked"`
	Unlinked  map[string][]string `json:"unlinked"`
	GoneNodes []string            `json:"removed_nodes"`
}

func (p updatePlan) forWorkflow() *workflow.Update {
	return &workflow.Update{
		ID: p.ID, Preview: p.Preview, Added: p.Result.Added, Removed: p.Result.Removed, Extended: p.Result.Extended,
		Reduced: p.Result.Reduced, Changed: p.Changed, Linked: p.Linked, Unlinked: p.Unlinked,
	}
}

// PrepareUpdate implements workflow.Updater. What it stores and the record of it
// are one transaction, so that a crash comes before or after both.
func (h workflowHost) PrepareUpdate(ctx context.Context, parameters map[string]any) (*workflow.Update, error) {
	r := h.r
	if known, ok, err := r.remembered(ctx, r.s.store, updateRecord); err != nil || ok {
		var p updatePlan
		return p.forWorkflowOf(known, err)
	}
	d, err := r.s.store.GetDeployment(ctx, r.e.Tenant, r.e.DeploymentID)
	if err != nil {
		return nil, err
	}
	blueprint, _ := parameters["blueprint_id"].(string)
	if blueprint == "" {
		blueprint = d.BlueprintID
	}
	b, err := r.s.store.GetBlueprint(ctx, r.e.Tenant, blueprint)
	if err != nil {
		return nil, fmt.Errorf("update deployment %s: %w", d.ID, err)
	}
	if b.Plan == nil {
		return nil, fmt.Errorf("update deployment %s: blueprint %s is not ready (%s)", d.ID, b.ID, b.State)
	}
	prepared, err := r.prepareAnew(ctx, d, b.Plan, parameters)
	if err != nil {
		return nil, fmt.Errorf("update deployment %s to blueprint %s: %w", d.ID, b.ID, err)
	}
	var p updatePlan
	for range idAttempts {
		err = r.write(ctx, func(tx store.Tx) error {
			p, err = h.prepareUpdate(ctx, tx, b.ID, prepared, parameters)
			return err
		})
		if !errors.Is(err, store.ErrExists) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return p.forWorkflow(), nil
}

// forWorkflowOf reads a stored record.
func (p updatePlan) forWorkflowOf(stored any, err error) (*workflow.Update, error) {
	if err == nil {
		err = value.Into(stored, &p)
	}
	if err != nil {
		return nil, fmt.Errorf("read what the update does: %w", err)
	}
	return p.forWorkflow(), nil
}

// prepareAnew makes the plan of the deployment from a blueprint, with its
// inputs as they were and those given over them.
func (r *run) prepareAnew(ctx context.Context, d store.Deployment, p *plan.Plan, parameters map[string]any) (*plan.Deployment, error) {
	inputs := map[string]any{}
	given, _ := parameters["inputs"].(map[string]any)
	for _, source := range []map[string]any{d.Inputs, given} {
		for name, v := range source {
			if _, declared := p.Inputs[name]; declared {
				inputs[name] = v
			}
		}
	}
	runtimeOnly := d.RuntimeOnlyEvaluation
	if b, ok := parameters["runtime_only_evaluation"].(bool); ok {
		runtimeOnly = b
	}
	correct, _ := parameters["auto_correct_types"].(bool)
	evaluate := func(d store.Deployment, payload any) (any, error) {
		return r.s.evaluateIn(ctx, r.s.store, d, payload, functions.Scope{})
	}
	return preparation.Deploy(p, preparation.Options{
		Inputs: inputs, RuntimeOnly: runtimeOnly, AutoCorrect: correct, IDs: newSuffix,
		Candidates: InputObjects(ctx, r.s.store, d.Tenant, p, evaluate),
		HasSecret: func(key string) (bool, error) {
			_, err := r.s.store.GetSecret(ctx, d.Tenant, key)
			if errors.Is(err, store.ErrNotFound) {
				return false, nil
			}
			return err == nil, err
		},
	})
}

func (h workflowHost) prepareUpdate(ctx context.Context, tx store.Tx, blueprint string, to *plan.Deployment, parameters map[string]any) (updatePlan, error) {
	r := h.r
	id, _ := parameters["update_id"].(string)
	if id == "" {
		id = r.e.DeploymentID + "-" + r.e.ID
	}
	preview, _ := parameters["preview"].(bool)
	if known, ok, err := r.remembered(ctx, tx, updateRecord); err != nil || ok { // by an attempt that was taken for failed
		var p updatePlan
		if err == nil {
			err = value.Into(known, &p)
		}
		return p, err
	}
	p := updatePlan{ID: id, Preview: preview || r.e.IsDryRun, Linked: map[string][]string{}, Unlinked: map[string][]string{}}
	before, err := readShape(ctx, tx, r.e.Tenant, r.e.DeploymentID)
	if err != nil {
		return p, err
	}
	after := keepCounts(before, to.Nodes)
	if problems := p.compare(before, after, to); len(problems) > 0 {
		for _, problem := range problems {
			h.Log(ctx, "error", problem)
		}
		return p, errors.New("Cannot update: unsupported steps found\n" + strings.Join(problems, "\n")) //nolint:staticcheck // the original's text
	}
	p.Result, err = topology.Modify(topology.Modification{
		Nodes: after, PreviousNodes: before.planNodes(), PreviousInstances: before.planInstances(), Groups: to.ScalingGroups,
	}, newSuffix)
	if err != nil || p.Preview {
		return p, err
	}
	if err := before.become(ctx, tx, blueprint, to, after, &p, parameters, r.s.now()); err != nil {
		return p, err
	}
	record, err := value.Of(p)
	if err != nil {
		return p, err
	}
	return p, r.remember(ctx, tx, updateRecord, record)
}

// keepCounts gives the nodes of the new plan; those that were there keep their
// numbers of instances, unless the blueprint says how many to deploy.
func keepCounts(before *shape, nodes []*plan.Node) []*plan.Node {
	after := make([]*plan.Node, len(nodes))
	for k, n := range nodes {
		after[k] = n
		old, ok := before.node(n.ID)
		if _, says := n.Instances["deploy"]; !ok || says {
			continue
		}
		kept := *n
		kept.Capabilities.Scalable.Properties.Current = value.Any{V: int64(old.Scalable.Current)}
		kept.Capabilities.Scalable.Properties.Planned = value.Any{V: int64(old.Scalable.Planned)}
		after[k] = &kept
	}
	return after
}

func (s *shape) node(id string) (store.Node, bool) {
	k := slices.IndexFunc(s.nodes, func(n store.Node) bool { return n.ID == id })
	if k < 0 {
		return store.Node{}, false
	}
	return s.nodes[k], true
}

// compare notes what is different between the deployment and its new plan, and
// returns what can't be changed.
func (p *updatePlan) compare(before *shape, after []*plan.Node, to *plan.Deployment) (problems []string) {
	for _, n := range after {
		old, ok := before.node(n.ID)
		if !ok {
			continue
		}
		if old.Type != n.Type {
			problems = append(problems, fmt.Sprintf("node %s: its type can't be changed from %s to %s", n.ID, old.Type, n.Type))
		}
		if a, b := container(old.Relationships), container(n.Relationships); a != b {
			problems = append(problems, fmt.Sprintf("node %s: it can't be moved from %q into %q", n.ID, a, b))
		}
		if !sameData(old.Properties, map[string]any(n.Properties)) || !sameData(old.Operations, n.Operations) {
			p.Changed = append(p.Changed, n.ID)
		}
		problems = append(problems, p.compareRelationships(old, n)...)
	}
	for _, old := range before.nodes {
		if !slices.ContainsFunc(after, func(n *plan.Node) bool { return n.ID == old.ID }) {
			p.GoneNodes = append(p.GoneNodes, old.ID)
		}
	}
	if !sameData(before.deployment.Groups, to.Groups) && len(before.deployment.Groups)+len(to.Groups) > 0 {
		problems = append(problems, "groups can't be changed")
	}
	return problems
}

func (p *updatePlan) compareRelationships(old store.Node, n *plan.Node) (problems []string) {
	changed := false
	for _, r := range n.Relationships {
		was, ok := matching(old.Relationships, r)
		switch {
		case !ok:
			p.Linked[n.ID] = append(p.Linked[n.ID], r.TargetID)
		case !sameData(was.Properties, r.Properties):
			problems = append(problems, fmt.Sprintf("node %s: the properties of its relationship to %s can't be changed", n.ID, r.TargetID))
		default:
			changed = changed || !sameData(was.SourceOperations, r.SourceOperations) || !sameData(was.TargetOperations, r.TargetOperations)
		}
	}
	for _, r := range old.Relationships {
		if _, ok := matching(n.Relationships, r); !ok {
			p.Unlinked[n.ID] = append(p.Unlinked[n.ID], r.TargetID)
		}
	}
	if changed && !slices.Contains(p.Changed, n.ID) {
		p.Changed = append(p.Changed, n.ID)
	}
	return problems
}

func matching(list []plan.Relationship, r plan.Relationship) (plan.Relationship, bool) {
	k := slices.IndexFunc(list, func(o plan.Relationship) bool { return o.Type == r.Type && o.TargetID == r.TargetID })
	if k < 0 {
		return plan.Relationship{}, false
	}
	return list[k], true
}

func container(list []plan.Relationship) string {
	for _, r := range list {
		if r.IsA("cloudify.relationships.contained_in") {
			return r.TargetID
		}
	}
	return ""
}

// sameData compares by what would be stored.
func sameData(a, b any) bool {
	x, errA := value.Of(a)
	y, errB := value.Of(b)
	return errA == nil && errB == nil && value.Equal(x, y)
}

// become stores all of the new plan that operations need: the deployment's
// attributes, nodes with relationships old and new, and new instances.
func (s *shape) become(ctx context.Context, tx store.Tx, blueprint string, to *plan.Deployment, after []*plan.Node, p *updatePlan,
	parameters map[string]any, now time.Time,
) error {
	d := s.deployment
	d.BlueprintID, d.Description, d.UpdatedAt = blueprint, to.Description, now
	d.Inputs, d.Outputs, d.Capabilities, d.Workflows = to.Inputs, to.Outputs, to.Capabilities, to.Workflows
	d.ScalingGroups, d.Groups = to.ScalingGroups, to.Groups
	if b, ok := parameters["runtime_only_evaluation"].(bool); ok {
		d.RuntimeOnlyEvaluation = b
	}
	for _, key := range value.SortedKeys(to.Labels) {
		for _, v := range to.Labels[key].Values {
			l := store.Label{Key: strings.ToLower(key), Value: value.Text(v), CreatedAt: now, CreatedBy: d.CreatedBy}
			if !slices.ContainsFunc(d.Labels, func(o store.Label) bool { return o.Key == l.Key && o.Value == l.Value }) {
				d.Labels = append(d.Labels, l)
			}
		}
	}
	if err := tx.UpdateDeployment(ctx, d); err != nil {
		return err
	}
	s.deployment = d
	var added []store.Node
	for k, n := range after {
		node, err := s.storedNode(n, k)
		if err != nil {
			return err
		}
		old, ok := s.node(n.ID)
		if !ok {
			added = append(added, node)
			continue
		}
		for _, r := range old.Relationships {
			if _, kept := matching(node.Relationships, r); !kept {
				node.Relationships = append(node.Relationships, r)
			}
		}
		if err := tx.UpdateNode(ctx, node); err != nil {
			return err
		}
	}
	if len(added) > 0 {
		if err := tx.AddNodes(ctx, added); err != nil {
			return err
		}
	}
	if err := s.grow(ctx, tx, p.Result.Added, topology.Added); err != nil {
		return err
	}
	return s.grow(ctx, tx, p.Result.Extended, topology.Extended)
}

func (s *shape) storedNode(n *plan.Node, position int) (store.Node, error) {
	relationships := make([]plan.Relationship, len(n.Relationships))
	for k, r := range n.Relationships {
		r.SourceInterfaces, r.TargetInterfaces = nil, nil
		relationships[k] = r
	}
	node := store.Node{
		Tenant: s.deployment.Tenant, DeploymentID: s.deployment.ID, BlueprintID: s.deployment.BlueprintID, ID: n.ID, Type: n.Type,
		TypeHierarchy: n.TypeHierarchy, Properties: n.Properties, Operations: n.Operations, Relationships: relationships,
		Plugins: n.Plugins, PluginsToInstall: n.PluginsToInstall, HostID: n.HostID, Visibility: s.deployment.Visibility,
		CreatedBy: s.deployment.CreatedBy, Position: position,
	}
	numbers := n.Capabilities.Scalable.Properties
	for _, number := range []struct {
		from value.Any
		to   *int
	}{
		{numbers.Current, &node.Scalable.Current}, {numbers.Planned, &node.Scalable.Planned}, {numbers.Default, &node.Scalable.Deploy},
		{numbers.Min, &node.Scalable.Min}, {numbers.Max, &node.Scalable.Max},
	} {
		v, ok := number.from.V.(int64)
		if !ok {
			return node, fmt.Errorf("node %s: a number of instances must be a whole number, found %s", n.ID, value.Repr(number.from.V))
		}
		*number.to = int(v)
	}
	return node, nil
}

// FinishUpdate implements workflow.Updater. Doing it again changes nothing.
func (h workflowHost) FinishUpdate(ctx context.Context, u *workflow.Update) error {
	r := h.r
	return r.write(ctx, func(tx store.Tx) error {
		known, ok, err := r.remembered(ctx, tx, updateRecord)
		if err != nil || !ok {
			return err
		}
		var p updatePlan
		if err := value.Into(known, &p); err != nil {
			return err
		}
		s, err := readShape(ctx, tx, r.e.Tenant, r.e.DeploymentID)
		if err != nil {
			return err
		}
		if err := s.shrink(ctx, tx, p.Result.Removed, topology.Removed); err != nil {
			return err
		}
		if err := s.shrink(ctx, tx, p.Result.Reduced, topology.Reduced); err != nil {
			return err
		}
		for _, n := range s.nodes {
			gone := p.Unlinked[n.ID]
			if len(gone) == 0 {
				continue
			}
			// The ones that are gone were put behind those that stay.
			keep := len(n.Relationships) - len(gone)
			if keep >= 0 && slices.EqualFunc(n.Relationships[keep:], gone, func(r plan.Relationship, target string) bool { return r.TargetID == target }) {
				n.Relationships = n.Relationships[:keep]
				if err := tx.UpdateNode(ctx, n); err != nil {
					return err
				}
			}
		}
		return tx.DeleteNodes(ctx, r.e.Tenant, r.e.DeploymentID, p.GoneNodes)
	})
}

// RunCustomUpdate implements workflow.Updater.
func (h workflowHost) RunCustomUpdate(ctx context.Context, workflowID string, parameters map[string]any) error {
	if h.r.e.IsDryRun {
		return nil
	}
	id, err := h.startOnce(ctx, StartRequest{
		Tenant: h.r.e.Tenant, DeploymentID: h.r.e.DeploymentID, WorkflowID: workflowID, Parameters: parameters,
		AllowCustomParameters: true, Force: true, CreatedBy: h.r.e.CreatedBy,
	})
	if err != nil {
		return fmt.Errorf("start the workflow %s: %w", workflowID, err)
	}
	return h.await(ctx, id)
}
