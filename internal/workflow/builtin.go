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
		handlerReinstall: retryHandler(b, "reinstall_", handlerReinstall, func(s *sequencer) {
			s.out.add(s.ev("Node lifecycle failed. Attempting to re-run node lifecycle"))
			s.uninstall()
			s.install()
		}),
		handlerUninstall: retryHandler(b, "", handlerUninstall, func(s *sequencer) { s.uninstall() }),
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
func retryHandler(b *builder, prefix, name string, build func(*sequencer)) graph.HandlerFunc {
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
		if _, err := fill(b, g, sub, &fresh, build); err != nil {
			g.Remove(sub)
			return graph.Answer{Decision: graph.Fail}
		}
		return graph.Answer{Decision: graph.Retry, Replaced: sub}
	}
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
	return h.Execute(ctx, name, Handlers(d, false), p.graph)
}

func takeDown(ctx context.Context, h Host, d *Deployment, selected, others []*Instance, name string, ignore bool) error {
	p := &processor{
		builder: builder{d: d, ignore: ignore}, selected: selected, intact: others, handler: handlerUninstall,
		build: (*sequencer).uninstall, name: func(i *Instance) string { return i.ID },
	}
	return h.Execute(ctx, name, Handlers(d, ignore), p.graph)
}

func uninstall(ctx context.Context, h Host, parameters map[string]any) error {
	if flag(parameters, "recursive") {
		return errors.New("uninstall with recursive=true is not supported yet: uninstall the services of this environment first")
	}
	d, selected, others, err := choose(ctx, h, parameters)
	if err != nil {
		return err
	}
	return takeDown(ctx, h, d, selected, others, "uninstall", flag(parameters, "ignore_failure"))
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
		return h.Execute(ctx, "execute_operation_"+operation, Handlers(d, false), p.inOrder(others))
	}
	return h.Execute(ctx, "execute_operation_"+operation, Handlers(d, false), p.unordered)
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
	p := &processor{
		builder: builder{d: d, ignore: true}, selected: stuck, intact: others, name: func(i *Instance) string { return i.ID },
		build: (*sequencer).rollback,
	}
	if err := h.Execute(ctx, "rollback", Handlers(d, true), p.graph); err != nil || !flag(parameters, "full_rollback") {
		return err
	}
	if d, err = h.Deployment(ctx); err != nil {
		return err
	}
	return takeDown(ctx, h, d, d.Instances, nil, "uninstall-auninstall", false)
}

// rollback builds the sequence that takes an instance back from a state that it
// was left in on its way up.
func (s *sequencer) rollback() {
	if s.i.State == "starting" {
		s.stop()
		s.out.add(s.st("configured"))
		s.out.add(s.ev("Rollback Delete: nothing to do, instance state is " + s.i.State))
	} else {
		s.out.add(s.ev("Validating node instance after deletion: nothing to do"))
		s.out.add(s.ev("Rollback Stop: nothing to do, instance state is " + s.i.State))
		s.remove()
		s.out.add(s.st("uninitialized"))
	}
	s.out.add(s.ev("Rollbacked node instance"))
}
