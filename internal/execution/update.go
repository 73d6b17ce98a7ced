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
	"windlass/internal/graph"
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
	// Inputs are those of operations that changed.
	Inputs []changedInputs `json:"changed_inputs"`
	// From is the blueprint that was. What is unlinked from nodes that stay may
	// need its files.
	From string `json:"from_blueprint"`
	// Settings are the new plan's deployment_settings.
	Settings value.Map `json:"deployment_settings"`
	// Settled are the numbers of instances at the end, by node.
	Settled map[string]int `json:"settled_counts"`
	// Rewired are the nodes whose relationships are others, or in another order.
	Rewired []string `json:"relationships_changed"`
}

// changedInputs are an operation's inputs before and after an update. Those of a
// relationship's operation have the node on its other side, too.
type changedInputs struct {
	Node         string    `json:"node"`
	Operation    string    `json:"operation"`
	Other        string    `json:"other,omitempty"`
	OtherTarget  bool      `json:"other_is_target,omitempty"`
	Old          value.Map `json:"old"`
	New          value.Map `json:"new"`
	HasFunctions bool      `json:"has_intrinsic_functions"`
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
		u, err := p.forWorkflowOf(known, err)
		if err == nil {
			err = r.notSuperseded(ctx, r.s.store)
		}
		r.updatedFrom = p.From
		return u, err
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
	if err := checkCustom(b.ID, b.Plan, parameters); err != nil {
		return nil, err
	}
	prepared, err := r.prepareAnew(ctx, d, b.Plan, parameters)
	if err != nil {
		return nil, fmt.Errorf("update deployment %s to blueprint %s: %w", d.ID, b.ID, err)
	}
	var p updatePlan
	var notes []string
	var refused unsupported
	for range idAttempts {
		err = r.write(ctx, func(tx store.Tx) error {
			p, notes, err = h.prepareUpdate(ctx, tx, b, prepared, parameters)
			if refused = nil; errors.As(err, &refused) {
				return nil // its steps are worth keeping
			}
			return err
		})
		if !errors.Is(err, store.ErrExists) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	for _, note := range notes {
		h.Log(ctx, "warning", note)
	}
	for _, problem := range refused {
		h.Log(ctx, "error", problem)
	}
	if refused != nil {
		return nil, refused
	}
	r.updatedFrom = p.From
	return p.forWorkflow(), nil
}

// forWorkflowOf reads a stored record.
func (p *updatePlan) forWorkflowOf(stored any, err error) (*workflow.Update, error) {
	if err == nil {
		err = value.Into(stored, p)
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

// prepareUpdate works out what an update does, and stores it unless that is to be
// a preview. The notes are for people.
func (h workflowHost) prepareUpdate(ctx context.Context, tx store.Tx, b store.Blueprint, prepared *plan.Deployment, parameters map[string]any,
) (p updatePlan, notes []string, err error) {
	r := h.r
	if known, ok, err := r.remembered(ctx, tx, updateRecord); err != nil || ok { // by an attempt that was taken for failed
		if err == nil {
			err = value.Into(known, &p)
		}
		return p, nil, err
	}
	id, _ := parameters["update_id"].(string)
	preview, _ := parameters["preview"].(bool)
	p = updatePlan{ID: id, Preview: preview || r.e.IsDryRun, Linked: map[string][]string{}, Unlinked: map[string][]string{}}
	before, err := readShape(ctx, tx, r.e.Tenant, r.e.DeploymentID)
	if err != nil {
		return p, nil, err
	}
	modified, modification, err := r.s.beingModified(ctx, tx, before.deployment)
	if err != nil {
		return p, nil, err
	}
	count := countsAfter(before, prepared, modified)
	notes, err = r.updateNotes(ctx, tx, before, b.Plan, parameters)
	if err != nil {
		return p, nil, err
	}
	notes = append(notes, count.notes...)
	if force, _ := parameters["force"].(bool); modification != nil && !p.Preview && !force {
		return p, nil, modification
	} else if modification != nil {
		notes = append(notes, modification.Error())
	}
	to := *prepared
	to.Nodes, to.ScalingGroups = count.nodes, count.groups
	steps := findSteps(before, &to)
	problems := p.takeUp(steps, before, to.Nodes)
	if p.Result, err = topology.Modify(topology.Modification{
		Nodes: to.Nodes, PreviousNodes: before.planNodes(), PreviousInstances: before.planInstances(), Changes: count.changes, Groups: to.ScalingGroups,
	}, newSuffix); err != nil && len(problems) == 0 {
		return p, nil, err
	}
	p.Settings, p.From, p.Settled = to.DeploymentSettings, before.deployment.BlueprintID, count.settled
	if !r.e.IsDryRun {
		if err := p.describe(ctx, tx, r, steps, before, &to, parameters, notes); err != nil {
			return p, nil, err
		}
	}
	if len(problems) > 0 {
		return p, nil, unsupported(problems)
	}
	if p.Preview {
		return p, notes, nil
	}
	if err := before.become(ctx, tx, b.ID, &to, &p, parameters, r.s.now()); err != nil {
		return p, nil, err
	}
	if f := r.s.cfg.Replanned; f != nil {
		if err := f(ctx, tx, before.was, before.deployment, &to); err != nil {
			return p, nil, err
		}
	}
	if _, err := r.s.declaredSchedules(ctx, tx, before.deployment, p.Settings); err != nil {
		return p, nil, err
	}
	record, err := value.Of(p)
	if err != nil {
		return p, nil, err
	}
	return p, notes, r.remember(ctx, tx, updateRecord, record)
}

// unsupported refuses an update for its steps that can't be made.
type unsupported []string

func (u unsupported) Error() string {
	return "Cannot update: unsupported steps found\n" + strings.Join(u, "\n")
}

// become stores all of the new plan that operations need: the deployment's
// attributes, nodes with relationships old and new, and new instances.
func (s *shape) become(ctx context.Context, tx store.Tx, blueprint string, to *plan.Deployment, p *updatePlan,
	parameters map[string]any, now time.Time,
) error {
	d := s.deployment
	s.was = d
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
	for k, n := range to.Nodes {
		node, err := s.storedNode(n, k)
		if err != nil {
			return err
		}
		old, ok := s.node(n.ID)
		if !ok {
			added = append(added, node)
			continue
		}
		// Operations that are gone may have to run once more.
		for _, gone := range old.Plugins {
			if !slices.ContainsFunc(node.Plugins, func(p plan.Plugin) bool { return p.Name == gone.Name }) {
				node.Plugins = append(slices.Clip(node.Plugins), gone)
			}
		}
		was := pairRelationships(old.Relationships, node.Relationships)
		for _, i := range unpaired(old.Relationships, was) {
			node.Relationships = append(node.Relationships, old.Relationships[i])
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
		if err := r.notSuperseded(ctx, tx); err != nil {
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
		if err := s.settle(ctx, tx, &p); err != nil {
			return err
		}
		if err := tx.DeleteNodes(ctx, r.e.Tenant, r.e.DeploymentID, p.GoneNodes); err != nil {
			return err
		}
		if err := r.s.reschedule(ctx, tx, s.deployment, p.Settings); err != nil {
			return err
		}
		return r.rewriteInputs(ctx, tx, p.Inputs)
	})
}

// settle makes the nodes, and the relationships of their instances, what they are
// at the end of an update.
func (s *shape) settle(ctx context.Context, tx store.Tx, p *updatePlan) error {
	for _, n := range s.nodes {
		changed := p.settle(&n)
		// The relationships that are gone were put behind those that stay.
		gone := p.Unlinked[n.ID]
		keep := len(n.Relationships) - len(gone)
		if len(gone) > 0 && keep >= 0 &&
			slices.EqualFunc(n.Relationships[keep:], gone, func(r plan.Relationship, target string) bool { return r.TargetID == target }) {
			n.Relationships, changed = n.Relationships[:keep], true
		}
		if !changed {
			continue
		}
		if err := tx.UpdateNode(ctx, n); err != nil {
			return err
		}
	}
	rewired := make(map[string]bool, len(p.Rewired))
	for _, node := range p.Rewired {
		rewired[node] = true
	}
	for k := range s.instances {
		i := &s.instances[k]
		if !rewired[i.NodeID] {
			continue
		}
		n, _ := s.node(i.NodeID)
		if err := s.relate(ctx, tx, i, reordered(i.Relationships, n.Relationships)); err != nil {
			return err
		}
	}
	return nil
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
	limit := seconds(h.r.e.Parameters["custom_workflow_timeout"])
	if limit <= 0 {
		return h.await(ctx, id)
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = h.await(bounded, id)
	if err != nil && ctx.Err() == nil && errors.Is(bounded.Err(), context.DeadlineExceeded) && !errors.As(err, &graph.Cancelled{}) {
		//lint:ignore ST1005 the original's text
		return fmt.Errorf("Timeout running %s: execution %s has not ended within %s", workflowID, id, limit)
	}
	return err
}

// seconds reads a duration that a parameter gives; 0 if it gives none.
func seconds(v any) time.Duration {
	switch n := v.(type) {
	case int64:
		return time.Duration(n) * time.Second
	case float64:
		return time.Duration(n * float64(time.Second))
	}
	return 0
}
