package workflow

import (
	"context"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
	"windlass/internal/topology"
)

// Host is what a workflow may ask of whoever runs it. A workflow runs again from
// the top after a crash, so whatever changes something is done once only: a
// method that is asked the same again gives what it gave the first time.
type Host interface {
	// Execute runs the named graph to its end: the execution's stored graph of
	// that name if there is one, else the one that build makes, which is stored
	// first. A graph that has ended returns at once. Errors are those of graph.Run.
	Execute(ctx context.Context, name string, handlers map[string]graph.HandlerFunc,
		build func(ids graph.IDs) (*graph.Graph, error)) error
	// Resumed lets amend add tasks to the execution's stored graph of that name,
	// and dependencies to the tasks that are left of it, once each time that a
	// person has resumed the execution. What amend adds is stored before Resumed
	// returns, and Execute runs it. Where there is no such graph, nothing of it is
	// left to run, or nobody has resumed, amend is not called.
	Resumed(ctx context.Context, name string, amend func(g *graph.Graph) error) error
	// Deployment reads the deployment as it is now.
	Deployment(ctx context.Context) (*Deployment, error)
	// Log stores a log line of the execution.
	Log(ctx context.Context, level, message string)

	// Once returns what decide returned when it was first asked under that name
	// in this execution. The answer is stored before Once returns; it must be
	// untyped data. In a dry run nothing is stored.
	Once(ctx context.Context, name string, decide func() (any, error)) (any, error)
	// ChangeSystem applies changes to instances' system properties, all or none.
	ChangeSystem(ctx context.Context, changes ...SystemChange) error

	Modifier
	Updater

	// RunOnServices runs the workflow on every deployment that uses this one as
	// its environment, side by side, and waits until all have ended, however they
	// end. It returns how many there were. Ones that can't be started are logged.
	RunOnServices(ctx context.Context, workflowID string, parameters map[string]any) (int, error)
}

// Modifier changes how many instances a deployment has, in two steps: instances
// come when the modification starts, and go when it ends.
type Modifier interface {
	// Modification returns the modification with the id that this execution has
	// started, or the latest one without an id; nil if there is none.
	Modification(ctx context.Context, id string) (*Modification, error)
	// StartModification plans the changes, by name of node or scaling group, and
	// adds the new instances. It is refused while another modification of the
	// deployment is under way. In a dry run it only works out what would change.
	StartModification(ctx context.Context, changes map[string]topology.Change) (*Modification, error)
	// ForeignModifications lists those under way that others have started.
	ForeignModifications(ctx context.Context) ([]*Modification, error)
	// FinishModification makes the planned numbers the current ones and removes
	// the instances that go.
	FinishModification(ctx context.Context, id string) error
	// RollbackModification takes everything back to what was before the start.
	RollbackModification(ctx context.Context, id string) error
}

// Modification is a change of how many instances there are.
type Modification struct {
	ID    string
	Ended bool
	// RolledBack tells how it ended.
	RolledBack bool
	// Added and Removed have the instances that come and go, marked so, and those
	// around them.
	Added, Removed []plan.NodeInstance
}

// marked returns the ids of the instances with the mark, and of the others.
func marked(instances []plan.NodeInstance, mark string) (with, without []string) {
	for _, i := range instances {
		if i.Modification == mark {
			with = append(with, i.ID)
		} else {
			without = append(without, i.ID)
		}
	}
	return with, without
}

// Updater makes a deployment what its blueprint says now, in two steps around
// the operations that have to run: what is new comes first, what is gone goes
// last.
type Updater interface {
	// PrepareUpdate works out what the parameters of the workflow update ask for
	// and, unless that is a preview, stores all of it that operations need. Steps
	// that can't be made are an error, and then nothing is stored.
	PrepareUpdate(ctx context.Context, parameters map[string]any) (*Update, error)
	// FinishUpdate takes away what is gone.
	FinishUpdate(ctx context.Context, u *Update) error
	// RunCustomUpdate runs another workflow of the deployment in place of the
	// usual steps and waits for its end, whichever it is.
	RunCustomUpdate(ctx context.Context, workflowID string, parameters map[string]any) error
}

// Update is what changes when a deployment is updated.
type Update struct {
	ID      string
	Preview bool
	// The instances that come, go, get relationships and lose some, marked so,
	// and those around them.
	Added, Removed, Extended, Reduced []plan.NodeInstance
	// Changed are the nodes with other properties or operations than before.
	Changed []string
	// Linked and Unlinked have the target nodes of relationships that are new or
	// gone, by source node.
	Linked, Unlinked map[string][]string
}
