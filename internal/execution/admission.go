package execution

import (
	"fmt"
	"slices"
	"strings"

	"windlass/internal/store"
)

// Neighbours are the executions that may keep a new one from starting.
type Neighbours struct {
	Active           []store.Execution // of the whole manager; see Admit for what is needed
	QueuedSystemWide []store.Execution // in the order of the queue
	QueuedHere       []store.Execution // queued ones of the same deployment, likewise
}

// Candidate is an execution that asks to be let in.
type Candidate struct {
	store.Execution
	Queue   bool // wait if it can't start now
	Overlap bool // may run beside others (deployment and plugin updates)
}

// systemWide are the workflows that run alone on the whole manager.
var systemWide = []string{"create_snapshot", "restore_snapshot", "create_log_bundle", "update_plugin", "uninstall_plugin"}

// IsSystemWide tells whether a workflow of this name runs alone on the whole manager.
func IsSystemWide(workflowID string) bool { return slices.Contains(systemWide, workflowID) }

// standsAside tells whether e neither blocks others nor is blocked: a snapshot
// of the current kind reads a consistent state and needs nobody to wait. One that
// was told to queue wants to be alone all the same, until it starts.
func standsAside(e store.Execution) bool {
	legacy, _ := e.Parameters["legacy"].(bool)
	return e.WorkflowID == "create_snapshot" && !legacy
}

// Block says why an execution can't start now.
type Block struct {
	SystemWide bool              // the blocker, or the blocked, runs alone on the manager
	By         []store.Execution // the executions that are in the way
	Refusal    *Refusal          // what to answer when waiting wasn't asked for
}

// Admit decides whether c may start now. It returns nil if so, else what is in
// the way. n.Active may leave out executions that are neither system-wide nor
// of c's deployment, unless c is system-wide.
func Admit(c Candidate, n Neighbours) *Block {
	if standsAside(c.Execution) && !c.Queue || c.Overlap {
		return nil
	}
	others := without(n.Active, c.ID, standsAside)
	if c.IsSystemWorkflow && c.DeploymentID == "" {
		return admitSystemWide(c, others, n)
	}
	wide := systemWideAmong(others, n.QueuedSystemWide)
	if slices.Contains(updateWorkflows, c.WorkflowID) { // an update of plugins waits for these
		wide = slices.DeleteFunc(wide, func(e store.Execution) bool { return e.WorkflowID == pluginsWorkflow })
	}
	if len(wide) > 0 {
		return &Block{SystemWide: true, By: wide, Refusal: refuse(CodeExistingRunning,
			"You cannot start an execution if there is a running system-wide execution")}
	}
	if c.DeploymentID == "" || c.Force {
		return nil
	}
	return admitBesideSiblings(c, others, n)
}

func admitSystemWide(c Candidate, others []store.Execution, n Neighbours) *Block {
	if before := earlier(n.QueuedSystemWide, c); len(others) == 0 && len(before) > 0 {
		others = before
	}
	if len(others) == 0 {
		return nil
	}
	return &Block{SystemWide: true, By: others, Refusal: refuse(CodeExistingRunning,
		"You cannot start a system-wide execution if there are other executions running.")}
}

func admitBesideSiblings(c Candidate, others []store.Execution, n Neighbours) *Block {
	var by []store.Execution
	for _, e := range others {
		if e.Tenant == c.Tenant && e.DeploymentID == c.DeploymentID {
			by = append(by, e)
		}
	}
	by = append(by, earlier(n.QueuedHere, c)...)
	if len(by) == 0 {
		return nil
	}
	names := make([]string, len(by))
	for i, e := range by {
		names[i] = fmt.Sprintf("<Execution id=`%s` tenant=`%s` status=`%s` workflow_id=`%s`>",
			e.ID, e.Tenant, e.Status, e.WorkflowID)
	}
	return &Block{By: by, Refusal: refuse(CodeExistingRunning,
		"The following executions are currently running for this deployment: [%s]. "+
			"To execute this workflow anyway, pass \"force=true\" as a query parameter to this request",
		strings.Join(names, ", "))}
}

// earlier returns those of the queued executions that stand before c: all of
// them if c is not in the queue. They are in the order of the queue.
func earlier(queued []store.Execution, c Candidate) []store.Execution {
	if k := slices.IndexFunc(queued, func(e store.Execution) bool { return e.ID == c.ID }); k >= 0 {
		return queued[:k]
	}
	return queued
}

func systemWideAmong(active, queued []store.Execution) []store.Execution {
	var wide []store.Execution
	// One that waits wants to be alone, whatever it is: else it might wait for ever.
	for _, e := range slices.Concat(active, queued) {
		if e.IsSystemWorkflow {
			wide = append(wide, e)
		}
	}
	return wide
}

func without(es []store.Execution, id string, drop func(store.Execution) bool) []store.Execution {
	var rest []store.Execution
	for _, e := range es {
		if e.ID != id && !drop(e) {
			rest = append(rest, e)
		}
	}
	return rest
}

// environmentWorkflow creates what all other workflows of a deployment need.
const environmentWorkflow = "create_deployment_environment"

// removalWorkflow takes the deployment away; it may run where the environment
// was never made.
const removalWorkflow = "delete_deployment_environment"

// CheckEnvironment refuses executions on a deployment whose environment isn't
// there, by the status of the execution that creates it.
func CheckEnvironment(deploymentID string, creation store.Execution) error {
	switch creation.Status {
	case store.Terminated:
		return nil
	case store.Pending:
		return refuse(CodeCreationPending, "Deployment environment creation is still pending, try again in a minute")
	case store.Started:
		return refuse(CodeCreationProgress, "Deployment environment creation is still in progress, try again in a minute")
	case store.Failed:
		return refuse(CodeCreation, "Can't launch executions since environment creation for deployment %s has failed: %s",
			deploymentID, lastLine(creation.Error))
	case store.Cancelled, store.Cancelling, store.ForceCancelling, store.KillCancelling:
		return refuse(CodeCreation, "Can't launch executions since the environment creation for deployment %s has been cancelled [status=%s]",
			deploymentID, creation.Status)
	}
	return refuse(CodeCreation, "Unexpected deployment status for deployment %s [status=%s]", deploymentID, creation.Status)
}

func lastLine(text *string) string {
	if text == nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(*text), "\n")
	return lines[len(lines)-1]
}
