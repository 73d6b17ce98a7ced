package workflow

import (
	"context"
	"errors"
	"fmt"

	"windlass/internal/graph"
	"windlass/internal/value"
)

// Names of the handlers that the built-in workflows' tasks carry.
const (
	handlerIgnore    = "lifecycle.ignore"
	handlerHostState = "lifecycle.host_started"
	handlerReinstall = "lifecycle.retry_install"
	handlerUninstall = "lifecycle.retry_uninstall"

	handlerStatus       = "check.status"
	handlerDrift        = "check.drift"
	handlerHealed       = "heal.succeeded"
	handlerHealFailed   = "heal.failed"
	handlerUpdated      = "update.succeeded"
	handlerUpdateFailed = "update.failed"
)

// Handlers gives the functions behind the handlers' names, for a deployment.
func Handlers(d *Deployment, ignore bool) map[string]graph.HandlerFunc {
	b := &builder{d: d, ignore: ignore}
	return map[string]graph.HandlerFunc{
		handlerIgnore: func(_ *graph.Graph, t *graph.Task) graph.Answer {
			a := graph.Answer{Decision: graph.Continue}
			if p, ok := t.Payload.(*OperationPayload); ok {
				if i := d.Instance(p.InstanceID); i != nil {
					a.Events = []*graph.Task{b.event(i, fmt.Sprintf("Ignoring task %s failure", t.Name))}
				}
			}
			return a
		},
		handlerHostState: func(_ *graph.Graph, t *graph.Task) graph.Answer {
			if truthy(t.Result) {
				return graph.Answer{Decision: graph.Continue}
			}
			return graph.Answer{Decision: graph.Retry, IgnoreTotal: true}
		},
		handlerReinstall: retryHandler(b, "reinstall_", downAndUp),
		handlerUninstall: retryHandler(b, "", func(b *builder, g *graph.Graph, sub *graph.Task, i *Instance) error {
			_, err := fill(b, g, sub, i, (*sequencer).uninstall)
			return err
		}),
		handlerStatus: checked(keepStatus),
		handlerDrift:  checked(keepDrift),
		handlerHealed: noting(onSuccess, healed),
		handlerHealFailed: noting(onFailure, func(id string) SystemChange {
			return set(id, healFailedKey, d.ExecutionID)
		}),
		handlerUpdated: noting(onSuccess, func(id string) SystemChange { return set(id, driftKey, nil) }),
		handlerUpdateFailed: noting(onFailure, func(id string) SystemChange {
			return set(id, updateFailedKey, d.ExecutionID)
		}),
	}
}

func truthy(v any) bool {
	switch t := v.(type) {
	case nil:
		return false
	case bool:
		return t
	case string:
		return t != ""
	case int64:
		return t != 0
	case float64:
		return t != 0
	case []any:
		return len(t) > 0
	case map[string]any:
		return len(t) > 0
	}
	return true
}

// retryHandler puts a new subgraph in the place of a failed one, as long as
// subgraph retries are left.
func retryHandler(b *builder, prefix string, build func(*builder, *graph.Graph, *graph.Task, *Instance) error) graph.HandlerFunc {
	return func(g *graph.Graph, t *graph.Task) graph.Answer {
		id, _ := t.OnFailure.Args["instance"].(string)
		i := b.d.Instance(id)
		if i == nil || t.TotalRetries != graph.Infinite && t.CurrentRetries >= t.TotalRetries {
			return graph.Answer{Decision: graph.Fail}
		}
		sub := g.AddSubgraph(nil, prefix+id, t.TotalRetries)
		sub.CurrentRetries, sub.RetriedTask, sub.OnFailure = t.CurrentRetries+1, t.ID, t.OnFailure
		// The state the instance was in is history: all of it goes down and comes
		// up again, as far as operations are mapped.
		fresh := *i
		fresh.State = ""
		if err := build(b, g, sub, &fresh); err != nil {
			g.Remove(sub)
			return graph.Answer{Decision: graph.Fail}
		}
		return graph.Answer{Decision: graph.Retry, Replaced: sub}
	}
}

// downAndUp fills a subgraph with two more, which take an instance down and
// bring it up again.
func downAndUp(b *builder, g *graph.Graph, sub *graph.Task, i *Instance) error {
	seq := g.NewSequence(sub)
	seq.Add(b.event(i, "Node lifecycle failed. Attempting to re-run node lifecycle"))
	for _, step := range []struct {
		name  string
		build func(*sequencer)
	}{{i.ID, (*sequencer).uninstall}, {"install_" + i.ID, (*sequencer).install}} {
		inner := g.AddSubgraph(sub, step.name, 0)
		if _, err := fill(b, g, inner, i, step.build); err != nil {
			return err
		}
		seq.Add(inner)
	}
	return nil
}

// Mapping is where the built-in workflows are mapped: plugin default_workflows.
const (
	Plugin = "default_workflows"
	prefix = "cloudify.plugins.workflows."
)

// Lookup finds a built-in workflow by the plugin and operation it is mapped to.
func Lookup(plugin, operation string) (Func, bool) {
	if plugin != Plugin {
		return nil, false
	}
	f, ok := builtin()[operation]
	return f, ok
}

func builtin() map[string]Func {
	return map[string]Func{
		prefix + "install":           install,
		prefix + "uninstall":         uninstall,
		prefix + "reinstall":         reinstall,
		prefix + "start":             single("start"),
		prefix + "stop":              single("stop"),
		prefix + "pull":              single("pull"),
		prefix + "restart":           restart,
		prefix + "execute_operation": executeOperation,
		prefix + "rollback":          rollback,
		prefix + "check_status":      checkStatus,
		prefix + "check_drift":       checkDrift,
		prefix + "scale_entity":      scaleEntity,
		prefix + "scale":             scaleNode,
		prefix + "update":            update,

		prefix + "auto_heal_reinstall_node_subgraph": heal,
		prefix + "install_new_agents":                installNewAgents,
		prefix + "validate_agents":                   validateAgents,
	}
}

func install(ctx context.Context, h Host, parameters map[string]any) error {
	d, selected, others, err := choose(ctx, h, parameters)
	if err != nil {
		return err
	}
	return bringUp(ctx, h, d, selected, others, "install")
}

func choose(ctx context.Context, h Host, parameters map[string]any) (d *Deployment, selected, others []*Instance, err error) {
	if d, err = h.Deployment(ctx); err != nil {
		return nil, nil, nil, err
	}
	selected, others, err = d.filter(parameters)
	return d, selected, others, err
}

func bringUp(ctx context.Context, h Host, d *Deployment, selected, others []*Instance, name string) error {
	p := &processor{
		builder: builder{d: d}, selected: selected, intact: others, up: true, handler: handlerReinstall,
		build: (*sequencer).install, name: func(i *Instance) string { return "install_" + i.ID },
	}
	if err := p.cleanUpFirst(ctx, h, name); err != nil {
		return err
	}
	return execute(ctx, h, name, ignoringCleanups(ctx, h, Handlers(d, false)), p.graph)
}

// execute is h.Execute, but that errors of build can be told from others.
func execute(ctx context.Context, h Host, name string, handlers map[string]graph.HandlerFunc,
	build func(graph.IDs) (*graph.Graph, error),
) error {
	return h.Execute(ctx, name, handlers, func(ids graph.IDs) (*graph.Graph, error) {
		g, err := build(ids)
		if err != nil {
			return nil, buildError{err}
		}
		return g, nil
	})
}

// buildError is an error of making a graph.
type buildError struct{ error }

func (e buildError) Unwrap() error { return e.error }

// isFailure tells whether a graph has failed for good, or can't be made. After
// any other error, a cancel for one, nothing more is to be done.
func isFailure(err error) bool {
	var failed *graph.FailedError
	var stuck *graph.StuckError
	var build buildError
	return errors.As(err, &failed) || errors.As(err, &stuck) || errors.As(err, &build)
}

func takeDown(ctx context.Context, h Host, d *Deployment, selected, others []*Instance, name string, ignore bool) error {
	p := &processor{
		builder: builder{d: d, ignore: ignore}, selected: selected, intact: others, handler: handlerUninstall,
		build: (*sequencer).uninstall, name: func(i *Instance) string { return i.ID },
	}
	return execute(ctx, h, name, Handlers(d, ignore), p.graph)
}

func uninstall(ctx context.Context, h Host, parameters map[string]any) error {
	if flag(parameters, "recursive") {
		if err := uninstallServices(ctx, h, parameters); err != nil {
			return err
		}
	}
	d, selected, others, err := choose(ctx, h, parameters)
	if err != nil {
		return err
	}
	return takeDown(ctx, h, d, selected, others, "uninstall", flag(parameters, "ignore_failure"))
}

// uninstallServices uninstalls the deployments that use this one as their
// environment, and theirs. Their failures don't keep this one from going on.
func uninstallServices(ctx context.Context, h Host, parameters map[string]any) error {
	d, err := h.Deployment(ctx)
	if err != nil {
		return err
	}
	h.Log(ctx, "info", "Uninstalling service deployments recursively")
	n, err := h.RunOnServices(ctx, d.WorkflowID, parameters)
	if err != nil {
		return err
	}
	h.Log(ctx, "info", fmt.Sprintf("Service deployments uninstalled (%d)", n))
	return nil
}

func reinstall(ctx context.Context, h Host, parameters map[string]any) error {
	d, selected, others, err := choose(ctx, h, parameters)
	if err != nil {
		return err
	}
	if err := takeDown(ctx, h, d, selected, others, "reinstall-uninstall", flag(parameters, "ignore_failure")); err != nil {
		return err
	}
	if d, selected, others, err = choose(ctx, h, parameters); err != nil {
		return err
	}
	d.imagine(selected, "deleted")
	return bringUp(ctx, h, d, selected, others, "reinstall-install")
}

// single runs one lifecycle operation over the selected instances.
func single(operation string) Func {
	return func(ctx context.Context, h Host, parameters map[string]any) error {
		return everywhere(ctx, h, parameters, lifecycle+operation, parameters["operation_parms"], true)
	}
}

func restart(ctx context.Context, h Host, parameters map[string]any) error {
	if err := everywhere(ctx, h, parameters, lifecycle+"stop", parameters["stop_parms"], true); err != nil {
		return err
	}
	return everywhere(ctx, h, parameters, lifecycle+"start", parameters["start_parms"], true)
}

func executeOperation(ctx context.Context, h Host, parameters map[string]any) error {
	operation, _ := parameters["operation"].(string)
	if operation == "" {
		return errors.New("parameter operation must name an operation, such as cloudify.interfaces.lifecycle.start")
	}
	return everywhere(ctx, h, parameters, operation, parameters["operation_kwargs"], flag(parameters, "allow_kwargs_override"))
}

func everywhere(ctx context.Context, h Host, parameters map[string]any, operation string, kwargs any, override bool) error {
	arguments, ok := kwargs.(map[string]any)
	if kwargs != nil && !ok {
		return fmt.Errorf("the operation's parameters must be an object, found %s", value.Repr(kwargs))
	}
	d, selected, others, err := choose(ctx, h, parameters)
	if err != nil {
		return err
	}
	text := "Starting operation " + operation
	if len(arguments) > 0 {
		text += " (Operation parameters: " + value.Text(arguments) + ")"
	}
	p := &processor{
		builder: builder{d: d}, selected: selected, up: true, name: func(i *Instance) string { return i.ID },
		build: func(s *sequencer) {
			t, err := s.operation(s.i, operation, arguments, override)
			if s.err = err; t == nil {
				return
			}
			s.out.add(s.ev(text))
			s.out.add(t)
			s.out.add(s.ev("Finished operation " + operation))
		},
	}
	if flag(parameters, "run_by_dependency_order") {
		return execute(ctx, h, "execute_operation_"+operation, Handlers(d, false), p.inOrder(others))
	}
	return execute(ctx, h, "execute_operation_"+operation, Handlers(d, false), p.unordered)
}

// unordered builds the graph without any order between instances.
func (p *processor) unordered(ids graph.IDs) (*graph.Graph, error) {
	g := graph.New(ids)
	for _, i := range p.selected {
		if _, err := fill(&p.builder, g, g.AddSubgraph(nil, p.name(i), 0), i, p.build); err != nil {
			return nil, err
		}
	}
	g.Optimize()
	return g, nil
}

// inOrder keeps the order of relationships, also through instances that are
// not acted on.
func (p *processor) inOrder(others []*Instance) func(graph.IDs) (*graph.Graph, error) {
	return func(ids graph.IDs) (*graph.Graph, error) {
		all := *p
		all.selected = append(append([]*Instance{}, p.selected...), others...)
		chosen := map[string]bool{}
		for _, i := range p.selected {
			chosen[i.ID] = true
		}
		all.build = func(s *sequencer) {
			if chosen[s.i.ID] {
				p.build(s)
			}
		}
		return all.graph(ids)
	}
}

func rollback(ctx context.Context, h Host, parameters map[string]any) error {
	d, selected, others, err := choose(ctx, h, parameters)
	if err != nil {
		return err
	}
	var stuck []*Instance
	for _, i := range selected {
		if i.in("creating", "configuring", "starting") {
			stuck = append(stuck, i)
		} else {
			others = append(others, i)
		}
	}
	if err := rollBack(ctx, h, d, stuck, others, "rollback", true); err != nil || !flag(parameters, "full_rollback") {
		return err
	}
	if d, err = h.Deployment(ctx); err != nil {
		return err
	}
	for _, i := range stuck {
		d.imagine(d.these([]string{i.ID}), rolledBack(i.State))
	}
	return takeDown(ctx, h, d, d.Instances, nil, "uninstall-auninstall", false)
}

// rolledBack is the state of an instance that was taken back.
func rolledBack(from string) string {
	if from == "starting" {
		return "configured"
	}
	return "uninitialized"
}

// rollBack takes instances back that were left on their way up.
func rollBack(ctx context.Context, h Host, d *Deployment, selected, others []*Instance, name string, ignore bool) error {
	p := &processor{
		builder: builder{d: d, ignore: ignore}, selected: selected, intact: others, name: func(i *Instance) string { return i.ID },
		build: (*sequencer).rollback,
	}
	return execute(ctx, h, name, Handlers(d, ignore), p.graph)
}

// rollback builds the sequence that takes an instance back from a state that it
// was left in on its way up.
func (s *sequencer) rollback() {
	switch {
	case s.i.State == "starting":
		s.stop()
		s.out.add(s.st(rolledBack(s.i.State)))
		s.out.add(s.ev("Rollback Delete: nothing to do, instance state is " + s.i.State))
	case !s.i.in("creating", "configuring"):
		s.out.add(s.ev("Validating node instance after deletion: nothing to do"))
		s.out.add(s.ev("Rollback Stop: nothing to do, instance state is " + s.i.State))
		s.out.add(s.ev("Rollback Delete: nothing to do, instance state is " + s.i.State))
		return
	default:
		s.out.add(s.ev("Validating node instance after deletion: nothing to do"))
		s.out.add(s.ev("Rollback Stop: nothing to do, instance state is " + s.i.State))
		s.remove()
		s.out.add(s.st(rolledBack(s.i.State)))
	}
	s.out.add(s.ev("Rollbacked node instance"))
}
