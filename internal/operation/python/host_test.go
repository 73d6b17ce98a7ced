package python_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/operation/python"
	"windlass/internal/topology"
	"windlass/internal/workflow"
)

// flowHost runs the graphs of a workflow in memory.
type flowHost struct {
	*operationtest.Host
	runner         *python.Runner
	deployment     *workflow.Deployment
	asked, forced  chan struct{}
	killed         chan struct{}
	mu             sync.Mutex // guards what follows
	kept           map[string]any
	graphs, events []string
}

var (
	_ workflow.Host          = (*flowHost)(nil)
	_ operation.Surroundings = (*flowHost)(nil)
)

// newFlowHost has the deployment with the nodes web and vm, and one instance of
// each.
func newFlowHost(t testing.TB, r *python.Runner) *flowHost {
	t.Helper()
	plugin := plan.Plugin{Name: "test"}
	node := func(id string) *workflow.Node {
		return &workflow.Node{
			ID: id, Type: "test.Node", TypeHierarchy: []string{"cloudify.nodes.Root", "test.Node"}, Count: 1,
			Plugins: []plan.Plugin{plugin}, Operations: map[string]*plan.Operation{
				"test.echo": {Plugin: "test", Operation: "ops.echo"},
			},
		}
	}
	d := &workflow.Deployment{
		ID: "dep", ExecutionID: "exec-" + t.Name(), WorkflowID: "flow", Nodes: map[string]*workflow.Node{"web": node("web"), "vm": node("vm")},
		Settings: workflow.Settings{RetryInterval: time.Millisecond},
	}
	for _, id := range []string{"web", "vm"} {
		d.Instances = append(d.Instances, &workflow.Instance{ID: id + "_1", NodeID: id, State: "started", Node: d.Nodes[id]})
	}
	return &flowHost{
		Host: newHost(), runner: r, deployment: d, kept: map[string]any{},
		asked: make(chan struct{}), forced: make(chan struct{}), killed: make(chan struct{}),
	}
}

func (h *flowHost) Log(_ context.Context, level, message string) { h.Host.Log(level, message) }

func (h *flowHost) Deployment(context.Context) (*workflow.Deployment, error) {
	return h.deployment, nil
}

func (h *flowHost) Resumed(context.Context, string, func(*graph.Graph) error) error { return nil }

func (h *flowHost) Execute(ctx context.Context, name string, handlers map[string]graph.HandlerFunc,
	build func(graph.IDs) (*graph.Graph, error),
) error {
	h.mu.Lock()
	h.graphs = append(h.graphs, name)
	h.mu.Unlock()
	g, err := build(&ids{})
	if err != nil {
		return err
	}
	control := make(chan graph.Control, 2)
	stop := context.AfterFunc(closing(ctx, h.asked), func() {
		if ctx.Err() == nil {
			control <- graph.Graceful
		}
	})
	defer stop()
	return graph.Run(ctx, g, graph.Options{Journal: forgetful{}, Limiter: unlimited{}, Performer: performs{h}, Handlers: handlers, Control: control, Now: time.Now})
}

// closing is a context that ends when c is closed, or with ctx.
func closing(ctx context.Context, c <-chan struct{}) context.Context {
	sub, cancel := context.WithCancel(ctx)
	go func() { // ends with the test's context at the latest
		defer cancel()
		select {
		case <-c:
		case <-ctx.Done():
		}
	}()
	return sub
}

type ids struct{ n int }

func (i *ids) Next() string { i.n++; return fmt.Sprintf("id-%d", i.n) }

type forgetful struct{}

func (forgetful) Commit(context.Context, []graph.Record) error { return nil }

type performs struct{ h *flowHost }

func (p performs) Perform(ctx context.Context, t *graph.Task, started func()) (any, error) {
	o, ok := t.Payload.(*workflow.OperationPayload)
	if !ok {
		return nil, errors.New("no operation")
	}
	pkg := "test-plugin"
	result, err := p.h.runner.Run(ctx, &operation.Request{
		TaskID: t.ID, ExecutionID: p.h.deployment.ExecutionID, DeploymentID: "dep", Name: o.Operation,
		Plugin: plan.Plugin{Name: o.Plugin, PackageName: &pkg}, Implementation: o.Implementation, Inputs: o.Inputs,
		Self: operation.Subject{NodeID: o.NodeID, InstanceID: o.InstanceID}, RetryNumber: t.CurrentRetries,
	}, p.h.Host)
	started()
	if err == nil {
		return result, nil
	}
	f := &graph.Failure{Message: err.Error(), Type: "RecoverableError"}
	if e, ok := errors.AsType[*operation.Error](err); ok {
		f.Type = e.Type
		if e.Verdict == operation.NonRecoverable {
			f.Verdict = graph.NonRecoverable
		}
	}
	return nil, f
}

func (h *flowHost) Once(_ context.Context, name string, decide func() (any, error)) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v, ok := h.kept[name]; ok {
		return v, nil
	}
	v, err := decide()
	if err == nil {
		h.kept[name] = v
	}
	return v, err
}

func (h *flowHost) ChangeSystem(context.Context, ...workflow.SystemChange) error { return nil }

func (h *flowHost) Modification(context.Context, string) (*workflow.Modification, error) {
	return nil, nil
}

func (h *flowHost) StartModification(context.Context, map[string]topology.Change) (*workflow.Modification, error) {
	return nil, errors.New("no modification here")
}

func (h *flowHost) ForeignModifications(context.Context) ([]*workflow.Modification, error) {
	return nil, nil
}
func (h *flowHost) FinishModification(context.Context, string) error   { return nil }
func (h *flowHost) RollbackModification(context.Context, string) error { return nil }

func (h *flowHost) PrepareUpdate(context.Context, map[string]any) (*workflow.Update, error) {
	return nil, errors.New("no update here")
}
func (h *flowHost) FinishUpdate(context.Context, *workflow.Update) error { return nil }
func (h *flowHost) RunCustomUpdate(context.Context, string, map[string]any) error {
	return errors.New("no update here")
}

func (h *flowHost) RunOnServices(context.Context, string, map[string]any) (int, error) { return 0, nil }

func (h *flowHost) About(context.Context) (operation.About, error) {
	return operation.About{Tenant: "t", BlueprintID: "bp", Plugins: []plan.Plugin{{Name: "test"}}, WaitAfterFail: 1}, nil
}

func (h *flowHost) Asked() (asked, forced, kill <-chan struct{}) { return h.asked, h.forced, h.killed }

func (h *flowHost) Event(eventType, message, nodeInstanceID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, eventType+" "+message+nodeInstanceID)
}

func (h *flowHost) Line(_, level, message, _ string) { h.Host.Log(level, message) }

type unlimited struct{}

func (unlimited) Acquire(ctx context.Context, _ *graph.Task) (func(), error) {
	return func() {}, ctx.Err()
}
