package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/execution"
	"windlass/internal/execution/recurrence"
	"windlass/internal/preparation"
	"windlass/internal/store"
	"windlass/internal/value"
)

// create is the create_deployment_environment execution: it prepares the plan
// with the inputs and stores nodes and instances, all or nothing, so that it may
// run again after a crash.
func (e *Environment) create(ctx context.Context, x store.Execution, h execution.SystemHost) error {
	b, err := e.Store.GetBlueprint(ctx, x.Tenant, x.BlueprintID)
	if err != nil {
		return err
	}
	inputs, _ := x.Parameters["inputs"].(map[string]any)
	d, err := e.Store.GetDeployment(ctx, x.Tenant, x.DeploymentID)
	if err != nil {
		return err
	}
	// A suffix may be taken by an instance of another deployment: with six
	// random characters that is rare, and the next draw settles it.
	for attempt := 1; ; attempt++ {
		prepared, err := e.prepare(ctx, b.Plan, d, inputs)
		if err != nil {
			return planError(err)
		}
		err = h.Write(ctx, func(tx store.Tx) error { return e.store(ctx, tx, d, b.Plan.Requirements, prepared, x) })
		if !errors.Is(err, store.ErrExists) || attempt == 5 {
			if err == nil {
				_, err = e.Library.WorkDir(x.Tenant, x.DeploymentID)
			}
			return err
		}
	}
}

func (e *Environment) prepare(ctx context.Context, p *plan.Plan, d store.Deployment, inputs map[string]any) (*plan.Deployment, error) {
	return preparation.Deploy(p, preparation.Options{
		Inputs:      inputs,
		RuntimeOnly: d.RuntimeOnlyEvaluation,
		IDs:         e.IDs,
		Candidates:  execution.InputObjects(ctx, e.Store, d.Tenant, p, e.evaluator(ctx)),
		HasSecret: func(key string) (bool, error) {
			_, err := e.Store.GetSecret(ctx, d.Tenant, key)
			if isNotFound(err) {
				return false, nil
			}
			return err == nil, err
		},
	})
}

// evaluator works out the capabilities of other deployments that inputs may name.
func (e *Environment) evaluator(ctx context.Context) func(store.Deployment, any) (any, error) {
	if e.Evaluate == nil {
		return nil
	}
	return func(d store.Deployment, payload any) (any, error) {
		return e.Evaluate(ctx, d.Tenant, d.ID, payload, functions.Scope{})
	}
}

// planError words what is wrong with a plan and its inputs on few lines. What
// violates a constraint is named as clients look for it.
func planError(err error) error {
	problems := problem.All(err)
	if len(problems) == 0 {
		return err
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = strings.TrimSpace(p.Error())
		if p.Kind == problem.Constraint {
			texts[i] = string(problem.Constraint) + ": " + texts[i]
		}
	}
	return errors.New(strings.Join(texts, "\n"))
}

func (e *Environment) store(ctx context.Context, tx store.Tx, d store.Deployment, asks plan.Requirements,
	p *plan.Deployment, x store.Execution,
) error {
	now := e.Now()
	d.Description = p.Description
	d.Inputs, d.Outputs, d.Capabilities = p.Inputs, p.Outputs, p.Capabilities
	d.Groups, d.ScalingGroups = p.Groups, p.ScalingGroups
	d.PolicyTypes, d.PolicyTriggers = p.PolicyTypes, p.PolicyTriggers
	d.Workflows = p.Workflows
	d.ResourceTags, d.DeploymentSettings = p.ResourceTags, p.DeploymentSettings
	d.Labels = mergeLabels(d.Labels, p.Labels, x.CreatedBy, now)
	d.UpdatedAt = now
	if name, ok := p.DeploymentSettings["display_name"].(string); ok && d.DisplayName == d.ID {
		d.DisplayName = name
	}
	if err := checkEnvironment(ctx, tx, d, asks.ParentCapabilities); err != nil {
		return err
	}
	if err := Relabel(ctx, tx, d, nil, d.Labels); err != nil {
		return err
	}
	if err := tx.UpdateDeployment(ctx, d); err != nil {
		return err
	}
	if err := addDependencies(ctx, tx, d, p); err != nil {
		return err
	}
	nodes, err := storedNodes(d, p.Nodes)
	if err != nil {
		return err
	}
	if err := tx.AddNodes(ctx, nodes); err != nil {
		return err
	}
	if err := tx.AddInstances(ctx, storedInstances(d, p.NodeInstances)); err != nil {
		return err
	}
	return e.addSchedules(ctx, tx, d)
}

// addDependencies stores on which deployments the capabilities that d asks for
// make it depend. A deployment that there is not yet is no error: what asks for
// it will tell.
func addDependencies(ctx context.Context, tx store.Tx, d store.Deployment, p *plan.Deployment) error {
	seen := map[string]bool{}
	for _, f := range p.InterDeploymentFunctions {
		creator := f.FunctionIdentifier
		if self := f.Context["self"]; seen[creator] && self != "" {
			creator += "." + self
		}
		if seen[creator] {
			continue
		}
		seen[creator] = true
		dep := store.Dependency{
			Owned: store.Owned{Tenant: d.Tenant, Visibility: d.Visibility, CreatedBy: d.CreatedBy, CreatedAt: d.UpdatedAt},
			ID:    uuid.NewString(), Creator: creator, SourceDeployment: d.ID,
		}
		written := any(nil)
		if len(f.TargetDeployment) == 2 {
			dep.TargetDeployment, _ = f.TargetDeployment[0].(string)
			written = f.TargetDeployment[1]
		}
		if functions.Is(written) {
			dep.TargetFunc = map[string]any{"function": written, "context": texts(f.Context)}
		}
		if _, err := tx.GetDeployment(ctx, d.Tenant, dep.TargetDeployment); isNotFound(err) {
			dep.TargetDeployment = ""
		}
		if _, err := Depend(ctx, tx, dep); err != nil {
			return err
		}
	}
	return nil
}

// Replanned brings up to date what others know of a deployment that an update
// has given another plan: its parents, and which deployments' capabilities it
// needs.
func Replanned(ctx context.Context, tx store.Tx, was, is store.Deployment, p *plan.Deployment) error {
	if err := Relabel(ctx, tx, is, was.Labels, is.Labels); err != nil {
		return err
	}
	known, err := tx.ListDependencies(ctx, store.Query{Tenants: []string{is.Tenant}, Filters: []store.Filter{
		{Field: "source_deployment_id", Values: []string{is.ID}},
	}})
	if err != nil {
		return err
	}
	for _, dep := range known.Items {
		if !strings.Contains(dep.Creator, ".get_") {
			continue // nodes and clients keep theirs themselves
		}
		if err := Release(ctx, tx, dep); err != nil {
			return err
		}
	}
	return addDependencies(ctx, tx, is, p)
}

func texts(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// addSchedules makes the schedules of the blueprint's deployment_settings.
func (e *Environment) addSchedules(ctx context.Context, tx store.Tx, d store.Deployment) error {
	declared, err := Schedules(d, e.Now())
	if err != nil {
		return err
	}
	for _, sc := range declared {
		if _, err = e.Schedule(ctx, tx, sc); err != nil {
			return fmt.Errorf("default schedule %s: %w", sc.ID, err)
		}
	}
	return nil
}

// Schedules reads the schedules that the deployment's settings declare.
func Schedules(d store.Deployment, now time.Time) ([]store.Schedule, error) {
	declared, _ := d.DeploymentSettings["default_schedules"].(map[string]any)
	var list []store.Schedule
	for _, name := range value.SortedKeys(declared) {
		sc, err := defaultSchedule(d, name, declared[name], now)
		if err != nil {
			return nil, fmt.Errorf("default schedule %s: %w", name, err)
		}
		list = append(list, sc)
	}
	return list, nil
}

func defaultSchedule(d store.Deployment, name string, declared any, now time.Time) (store.Schedule, error) {
	var s struct {
		Workflow   string    `json:"workflow"`
		Since      string    `json:"since"`
		Until      string    `json:"until"`
		Slip       int       `json:"slip"`
		StopOnFail bool      `json:"stop_after_fail"`
		Enabled    *bool     `json:"default_enabled"`
		Parameters value.Map `json:"parameters"`
		Arguments  value.Map `json:"execution_arguments"`
	}
	sc := store.Schedule{
		Owned: store.Owned{Tenant: d.Tenant, Visibility: d.Visibility, CreatedBy: d.CreatedBy, CreatedAt: now},
		ID:    name, DeploymentID: d.ID, Rule: map[string]any{},
	}
	if err := value.Into(declared, &s); err != nil {
		return sc, err
	}
	sc.WorkflowID, sc.Slip, sc.StopOnFail = s.Workflow, s.Slip, s.StopOnFail
	sc.Parameters, sc.Arguments, sc.Enabled = s.Parameters, s.Arguments, s.Enabled == nil || *s.Enabled
	var err error
	if sc.Since, err = recurrence.ParseTime(s.Since, time.UTC, now); err != nil {
		return sc, fmt.Errorf("since: %w", err)
	}
	if s.Until != "" {
		if sc.Until, err = recurrence.ParseTime(s.Until, time.UTC, now); err != nil {
			return sc, fmt.Errorf("until: %w", err)
		}
	}
	rule, _ := declared.(map[string]any)
	for _, key := range []string{"recurrence", "count", "weekdays", "rrule"} {
		if v := rule[key]; v != nil {
			sc.Rule[key] = v
		}
	}
	if len(sc.Rule) == 0 {
		sc.Rule["count"] = int64(1)
	}
	return sc, nil
}

func storedNodes(d store.Deployment, nodes []*plan.Node) ([]store.Node, error) {
	stored := make([]store.Node, len(nodes))
	for i, n := range nodes {
		scale, err := nodeScale(n)
		if err != nil {
			return nil, err
		}
		relationships := make([]plan.Relationship, len(n.Relationships))
		for j, r := range n.Relationships {
			r.SourceInterfaces, r.TargetInterfaces = nil, nil
			relationships[j] = r
		}
		stored[i] = store.Node{
			Tenant: d.Tenant, DeploymentID: d.ID, BlueprintID: d.BlueprintID, ID: n.ID, Type: n.Type,
			TypeHierarchy: n.TypeHierarchy, Properties: n.Properties, Operations: n.Operations,
			Relationships: relationships, Plugins: n.Plugins, PluginsToInstall: n.PluginsToInstall, HostID: n.HostID,
			Scalable: scale, Visibility: d.Visibility, CreatedBy: d.CreatedBy, Position: i,
		}
	}
	return stored, nil
}

func nodeScale(n *plan.Node) (store.NodeScale, error) {
	p := n.Capabilities.Scalable.Properties
	var s store.NodeScale
	for _, number := range []struct {
		name string
		from value.Any
		to   *int
	}{
		{"current_instances", p.Current, &s.Current}, {"planned_instances", p.Planned, &s.Planned},
		{"default_instances", p.Default, &s.Deploy}, {"min_instances", p.Min, &s.Min}, {"max_instances", p.Max, &s.Max},
	} {
		v, ok := number.from.V.(int64)
		if !ok {
			return s, fmt.Errorf("node %s: %s must be a whole number, found %s", n.ID, number.name, value.Repr(number.from.V))
		}
		*number.to = int(v)
	}
	return s, nil
}

func storedInstances(d store.Deployment, instances []plan.NodeInstance) []store.NodeInstance {
	stored := make([]store.NodeInstance, len(instances))
	index := map[string]int{}
	for i, n := range instances {
		index[n.NodeID]++
		stored[i] = store.NodeInstance{
			Tenant: d.Tenant, DeploymentID: d.ID, NodeID: n.NodeID, ID: n.ID, HostID: n.HostID,
			Index: index[n.NodeID], State: "uninitialized", Version: 1, RuntimeProperties: map[string]any{},
			Relationships: n.Relationships, ScalingGroups: n.ScalingGroups,
			Visibility: d.Visibility, CreatedBy: d.CreatedBy,
		}
	}
	return stored
}

// mergeLabels adds a plan's labels to those given, which come first. Keys are
// lower case; a pair is kept once.
func mergeLabels(given []store.Label, planned map[string]plan.Label, by string, at time.Time) []store.Label {
	seen := map[[2]string]bool{}
	var merged []store.Label
	add := func(l store.Label) {
		l.Key = strings.ToLower(l.Key)
		if pair := [2]string{l.Key, l.Value}; !seen[pair] {
			seen[pair] = true
			merged = append(merged, l)
		}
	}
	for _, l := range given {
		add(l)
	}
	for _, key := range value.SortedKeys(planned) {
		for _, v := range planned[key].Values {
			add(store.Label{Key: key, Value: value.Text(v), CreatedAt: at, CreatedBy: by})
		}
	}
	return merged
}

func labelParameter(labels []store.Label) []any {
	list := make([]any, len(labels))
	for i, l := range labels {
		list[i] = map[string]any{l.Key: l.Value}
	}
	return list
}
