package execution

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
	"windlass/internal/store"
	"windlass/internal/workflow"
)

// runWorkflow runs the deployment's workflow.
func (r *run) runWorkflow() error {
	if r.e.DeploymentID == "" {
		return fmt.Errorf("workflow %s is not available on this manager", r.e.WorkflowID)
	}
	d, err := r.s.store.GetDeployment(r.ctx, r.e.Tenant, r.e.DeploymentID)
	if err != nil {
		return fmt.Errorf("read deployment %s: %w", r.e.DeploymentID, err)
	}
	r.deployment = d
	w, ok := d.Workflows[r.e.WorkflowID]
	if !ok && slices.Contains(updateWorkflows, r.e.WorkflowID) {
		w, ok = plan.Workflow{Plugin: workflow.Plugin, Operation: "cloudify.plugins.workflows.update"}, true
	}
	if !ok {
		return fmt.Errorf("workflow %s is not available on this manager", r.e.WorkflowID)
	}
	f, ok := r.s.cfg.Workflows(w.Plugin, w.Operation)
	if !ok {
		return fmt.Errorf("workflow %s is mapped to the operation %s of plugin %s, which this manager doesn't have",
			r.e.WorkflowID, w.Operation, w.Plugin)
	}
	defer r.boundCancel()()
	err = f(r.ctx, workflowHost{r}, r.e.Parameters)
	var failed *graph.FailedError
	switch {
	case errors.As(err, &graph.Cancelled{}):
		return errCancelled
	case errors.As(err, &failed):
		return operationsFailed{failed}
	}
	return err
}

// updateWorkflows update a deployment; no blueprint declares them.
var updateWorkflows = []string{"update", "csys_new_deployment_update", "csys_update_deployment"}

// operationsFailed is the outcome of an execution whose operations failed for good.
type operationsFailed struct{ cause *graph.FailedError }

func (o operationsFailed) Error() string { return o.text(o.cause.Error()) }

// summary leaves the traceback out: it is with the event of the operation.
func (o operationsFailed) summary() string { return o.text(o.cause.Summary()) }

// text leads with the operation that failed, its exit code and the end of its
// output, if they are known, and goes on with the original's text.
func (o operationsFailed) text(original string) string {
	first := o.cause.Tasks[0]
	f := first.Failure
	p, ok := first.Payload.(*workflow.OperationPayload)
	if !ok || f == nil || f.ExitCode == nil && f.Output == "" {
		return original
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s failed", p.Operation, p.InstanceID)
	if f.ExitCode != nil {
		fmt.Fprintf(&b, " with exit code %d", *f.ExitCode)
	}
	if output := strings.TrimRight(f.Output, "\n"); output != "" {
		b.WriteString("; its last output:\n  " + strings.ReplaceAll(output, "\n", "\n  "))
	}
	return b.String() + "\n\n" + original
}

// workflowHost lets a built-in workflow use its run.
type workflowHost struct{ r *run }

var _ workflow.Host = workflowHost{}

func (h workflowHost) Log(_ context.Context, level, message string) {
	h.r.book.add(h.r.logLine(level, message))
}

func (h workflowHost) Deployment(ctx context.Context) (*workflow.Deployment, error) {
	r := h.r
	of := []store.Filter{tenantIs(r.e.Tenant), {Field: "deployment_id", Values: []string{r.e.DeploymentID}}}
	nodes, err := r.s.store.ListNodes(ctx, store.Query{Filters: of})
	if err != nil {
		return nil, fmt.Errorf("read the nodes of %s: %w", r.e.DeploymentID, err)
	}
	instances, err := r.s.store.ListInstances(ctx, store.Query{Filters: of})
	if err != nil {
		return nil, fmt.Errorf("read the node instances of %s: %w", r.e.DeploymentID, err)
	}
	now, err := r.s.store.GetDeployment(ctx, r.e.Tenant, r.e.DeploymentID)
	if err != nil {
		return nil, fmt.Errorf("read deployment %s: %w", r.e.DeploymentID, err)
	}
	d := &workflow.Deployment{
		ID: r.e.DeploymentID, ExecutionID: r.e.ID, WorkflowID: r.e.WorkflowID, Nodes: map[string]*workflow.Node{},
		Groups: now.ScalingGroups, DryRun: r.e.IsDryRun, Resume: r.e.Resume,
	}
	if d.Settings, err = taskSettings(ctx, r.s.store); err != nil {
		return nil, err
	}
	for _, n := range nodes.Items {
		d.Nodes[n.ID] = &workflow.Node{
			ID: n.ID, Type: n.Type, TypeHierarchy: n.TypeHierarchy, Properties: n.Properties, Operations: n.Operations,
			Relationships: n.Relationships, Plugins: n.Plugins, HostID: n.HostID, Count: n.Scalable.Current,
		}
	}
	for _, i := range instances.Items {
		n := d.Nodes[i.NodeID]
		if n == nil {
			return nil, fmt.Errorf("node instance %s belongs to the node %s, which deployment %s doesn't have", i.ID, i.NodeID, d.ID)
		}
		d.Instances = append(d.Instances, &workflow.Instance{
			ID: i.ID, NodeID: i.NodeID, HostID: i.HostID, State: i.State, SystemProperties: i.SystemProperties,
			Relationships: i.Relationships, ScalingGroups: i.ScalingGroups, Node: n,
		})
	}
	return d, nil
}

// Defaults of the settings, where the manager's configuration says nothing.
const (
	defaultTaskRetries     = 60
	defaultRetryInterval   = 15 // seconds
	defaultSubgraphRetries = 0
)

func taskSettings(ctx context.Context, r store.Reader) (set workflow.Settings, err error) {
	if set.TaskRetries, err = intSetting(ctx, r, "task_retries", defaultTaskRetries); err != nil {
		return set, err
	}
	if set.SubgraphRetries, err = intSetting(ctx, r, "subgraph_retries", defaultSubgraphRetries); err != nil {
		return set, err
	}
	interval, err := intSetting(ctx, r, "task_retry_interval", defaultRetryInterval)
	set.RetryInterval = time.Duration(interval) * time.Second
	return set, err
}

// The settings that let the waits between an operation's retries grow.
const (
	BackoffSetting         = "task_retry_backoff"
	LongestIntervalSetting = "task_retry_longest_interval" // seconds

	DefaultBackoff         = 1   // they don't, as in the original
	DefaultLongestInterval = 600 // seconds
)

func retryBackoff(ctx context.Context, r store.Reader) (graph.Backoff, error) {
	settings, err := r.ListSettings(ctx)
	if err != nil {
		return graph.Backoff{}, fmt.Errorf("read how operations are retried: %w", err)
	}
	return graph.Backoff{
		Factor:  intAmong(settings, BackoffSetting, DefaultBackoff),
		Longest: time.Duration(intAmong(settings, LongestIntervalSetting, DefaultLongestInterval)) * time.Second,
	}, nil
}

// Execute implements workflow.Host.
func (h workflowHost) Execute(ctx context.Context, name string, handlers map[string]graph.HandlerFunc,
	build func(ids graph.IDs) (*graph.Graph, error),
) error {
	r := h.r
	if r.asked.Err() != nil {
		return r.cancelled()
	}
	g, graphID, err := r.openGraph(ctx, name, build)
	if err != nil || g.Len() == 0 {
		return err
	}
	paused, _ := r.pause.on()
	backoff, err := retryBackoff(ctx, r.s.store)
	if err != nil {
		return err
	}
	requests, stop := r.requests(paused)
	defer stop()
	probes, stopProbing := r.probed()
	defer stopProbing()
	err = graph.Run(ctx, g, graph.Options{
		Journal: &graphJournal{r: r, graphID: graphID}, Performer: performer{r, graphID}, Limiter: limiter{r}, Handlers: handlers,
		Backoff: backoff, WaitAfterFail: time.Duration(r.e.WaitAfterFail) * time.Second, Control: requests, Leave: r.leave, Now: r.s.now,
		Paused: paused, Probes: probes, KillGrace: r.s.cfg.Timing.KillGrace, Abandoned: r.abandoned,
	})
	if errors.As(err, &graph.Cancelled{}) {
		return r.cancelled()
	}
	return err
}

// cancelled is the end of a graph that was asked to stop.
func (r *run) cancelled() error { return graph.Cancelled{Forced: r.forced.Err() != nil} }

// openGraph restores the execution's graph of that name, or builds and stores it.
func (r *run) openGraph(ctx context.Context, name string, build func(ids graph.IDs) (*graph.Graph, error)) (*graph.Graph, string, error) {
	if r.e.IsDryRun {
		g, err := build(taskIDs{})
		return g, "", err
	}
	stored, err := r.s.store.GetGraph(ctx, r.e.ID, name)
	switch {
	case err == nil:
		g, err := r.restore(ctx, stored)
		return g, stored.ID, err
	case !errors.Is(err, store.ErrNotFound):
		return nil, "", fmt.Errorf("read task graph %s: %w", name, err)
	}
	g, err := build(taskIDs{})
	if err != nil {
		return nil, "", err
	}
	stored = store.Graph{ID: uuid.NewString(), ExecutionID: r.e.ID, Name: name, CreatedAt: r.s.now()}
	tasks := g.Tasks()
	ops := make([]store.Operation, len(tasks))
	for i, t := range tasks {
		if ops[i], err = r.storedTask(t, stored.ID, g.Dependencies(t.ID)); err != nil {
			return nil, "", err
		}
	}
	err = r.write(ctx, func(tx store.Tx) error { return tx.AddGraph(ctx, stored, ops) })
	if errors.Is(err, store.ErrExists) { // an attempt that was taken for failed had stored it
		if stored, err = r.s.store.GetGraph(ctx, r.e.ID, name); err == nil {
			g, err := r.restore(ctx, stored)
			return g, stored.ID, err
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("store task graph %s: %w", name, err)
	}
	return g, stored.ID, nil
}

// Resumed implements workflow.Host. What amend did is stored together with the
// note that it did it in this resume, which began when the execution started
// last.
func (h workflowHost) Resumed(ctx context.Context, name string, amend func(g *graph.Graph) error) error {
	r := h.r
	if !r.e.Resume || r.e.IsDryRun || r.asked.Err() != nil {
		return nil
	}
	stored, err := r.s.store.GetGraph(ctx, r.e.ID, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read task graph %s: %w", name, err)
	}
	done := fmt.Sprintf("resumed %s at %s", name, r.e.StartedAt.UTC().Format("2006-01-02T15:04:05.000000")) // as exact as it is stored
	if _, known, err := r.remembered(ctx, r.s.store, done); err != nil || known {
		return err
	}
	g, err := r.restore(ctx, stored)
	var failed *graph.FailedError
	if errors.As(err, &failed) {
		return nil // Execute tells of it
	} else if err != nil || g.Len() == 0 {
		return err
	}
	before := map[string]int{}
	for _, t := range g.Tasks() {
		before[t.ID] = len(g.Dependencies(t.ID))
	}
	if err := amend(g); err != nil {
		return err
	}
	var added []store.Operation
	waits := map[string][]string{}
	for _, t := range g.Tasks() {
		needs := g.Dependencies(t.ID)
		if n, was := before[t.ID]; was && n != len(needs) {
			waits[t.ID] = needs
		} else if !was {
			op, err := r.storedTask(t, stored.ID, needs)
			if err != nil {
				return err
			}
			added = append(added, op)
		}
	}
	err = r.write(ctx, func(tx store.Tx) error {
		if err := tx.Journal(ctx, r.fence, store.JournalBatch{Added: added}); err != nil {
			return err
		}
		if err := waitAlso(ctx, tx, waits); err != nil {
			return err
		}
		return r.remember(ctx, tx, done, true)
	})
	if errors.Is(err, store.ErrExists) { // an attempt that was taken for failed had stored it
		return nil
	}
	return err
}

// waitAlso gives stored tasks more to wait for.
func waitAlso(ctx context.Context, tx store.Tx, needs map[string][]string) error {
	for _, id := range slices.Sorted(maps.Keys(needs)) {
		op, err := tx.GetOperation(ctx, id)
		if err != nil {
			return err
		}
		for _, need := range needs[id] {
			if !slices.Contains(op.Dependencies, need) {
				op.Dependencies = append(op.Dependencies, need)
			}
		}
		if err := tx.UpdateOperation(ctx, op); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) restore(ctx context.Context, stored store.Graph) (*graph.Graph, error) {
	ops, err := r.s.store.ListOperations(ctx, store.Query{Filters: []store.Filter{{Field: "graph_id", Values: []string{stored.ID}}}})
	if err != nil {
		return nil, fmt.Errorf("read task graph %s: %w", stored.Name, err)
	}
	tasks := make([]graph.Stored, len(ops.Items))
	for i, op := range ops.Items {
		t := &graph.Task{ID: op.ID, Kind: graph.Kind(op.Type), Name: op.Name, State: engineState(op.State), Position: op.Position, Result: op.Result}
		if err := workflow.DecodeTask(t, op.Parameters); err != nil {
			return nil, err
		}
		if t.Failure == nil && op.Error != "" {
			t.Failure = &graph.Failure{Message: op.Error}
		}
		tasks[i] = graph.Stored{Task: t, Dependencies: op.Dependencies}
	}
	return graph.Restore(taskIDs{}, tasks)
}

// engineState maps the states that only others write to those of the engine.
func engineState(state string) graph.State {
	switch state {
	case "sent":
		return graph.Sending
	case "response-sent":
		return graph.Started
	}
	return graph.State(state)
}

type taskIDs struct{}

func (taskIDs) Next() string { return uuid.NewString() }

// requests gives a graph what is asked of the run, until stop. The graph begins
// paused or not.
func (r *run) requests(paused bool) (requests <-chan graph.Control, stop func()) {
	to := make(chan graph.Control, 4)
	done, quit := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		send := func(c graph.Control) (heard bool) {
			select {
			case to <- c:
				return true
			case <-quit: // the graph has ended: nobody listens any more
				return false
			}
		}
		asked, forced, killed := r.asked.Done(), r.forced.Done(), r.operations.Done()
		var patience <-chan time.Time
		for {
			now, changed := r.pause.on()
			if now != paused {
				c := graph.Unpause
				if now {
					c = graph.Pause
				}
				if !send(c) {
					return
				}
				paused = now
			}
			select {
			case <-changed:
			case <-killed:
				send(graph.Kill)
				return
			case <-forced:
				if !send(graph.Force) {
					return
				}
				forced, patience = nil, nil
			case <-patience:
				r.force()
			case <-asked:
				if !send(graph.Graceful) {
					return
				}
				asked = nil
				timer := time.NewTimer(r.s.cfg.Timing.CancelGrace)
				defer timer.Stop()
				patience = timer.C
			case <-quit:
				return
			}
		}
	}()
	return to, func() { close(quit); <-done }
}
