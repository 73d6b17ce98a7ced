package execution

import (
	"context"
	"fmt"

	"windlass/internal/blueprint/functions"
	"windlass/internal/operation"
)

var _ operation.Surroundings = workflowHost{}

// About implements operation.Surroundings.
func (h workflowHost) About(ctx context.Context) (about operation.About, err error) {
	r, d := h.r, h.r.deployment
	about = operation.About{
		Tenant: r.e.Tenant, ExecutionCreator: r.e.CreatedBy, BlueprintID: d.BlueprintID,
		DeploymentDisplayName: d.DisplayName, DeploymentCreator: d.CreatedBy, RuntimeOnlyEvaluation: d.RuntimeOnlyEvaluation,
		WaitAfterFail: r.e.WaitAfterFail, Token: r.token, RestURL: r.s.cfg.RestURL,
	}
	if about.ResourceTags, err = r.resourceTags(ctx); err != nil {
		return about, err
	}
	b, err := r.s.store.GetBlueprint(ctx, r.e.Tenant, d.BlueprintID)
	if err != nil {
		return about, fmt.Errorf("read blueprint %s: %w", d.BlueprintID, err)
	}
	if b.Plan != nil {
		about.Plugins = b.Plan.WorkflowPlugins
	}
	about.WorkDir, err = r.workDir()
	return about, err
}

// resourceTags evaluates those of the deployment.
func (r *run) resourceTags(ctx context.Context) (map[string]any, error) {
	if len(r.deployment.ResourceTags) == 0 {
		return nil, nil
	}
	tags, err := r.evaluateMap(ctx, r.deployment.ResourceTags, functions.Scope{})
	if err != nil {
		return nil, fmt.Errorf("evaluate the resource tags of deployment %s: %w", r.deployment.ID, err)
	}
	return tags, nil
}

// workDir is the deployment's; "" if there are none.
func (r *run) workDir() (string, error) {
	if r.s.cfg.WorkDir == nil {
		return "", nil
	}
	dir, err := r.s.cfg.WorkDir(r.e.Tenant, r.e.DeploymentID)
	if err != nil {
		return "", fmt.Errorf("open the work directory of deployment %s: %w", r.e.DeploymentID, err)
	}
	return dir, nil
}

// Asked implements operation.Surroundings.
func (h workflowHost) Asked() (asked, forced, kill <-chan struct{}) {
	return h.r.asked.Done(), h.r.forced.Done(), h.r.operations.Done()
}

// Event implements operation.Surroundings.
func (h workflowHost) Event(eventType, message, nodeInstanceID string) {
	e := h.r.s.workflowEvent(h.r.e, eventType, message)
	e.NodeID = nodeInstanceID
	h.r.book.add(e)
}

// Line implements operation.Surroundings.
func (h workflowHost) Line(name, level, message, nodeInstanceID string) {
	line := h.r.logLine(level, message)
	line.NodeID = nodeInstanceID
	if name != "" {
		line.Logger = "ctx." + name
	}
	h.r.book.add(line)
}

// Instance implements operation.Surroundings. Functions are evaluated for
// deployments that say so only; what a workflow reads it may write back.
func (h workflowHost) Instance(ctx context.Context, instanceID string) (operation.Instance, error) {
	i, err := h.r.s.store.GetInstance(ctx, h.r.e.Tenant, instanceID)
	if err != nil {
		return operation.Instance{}, err
	}
	runtime := i.RuntimeProperties
	if h.r.deployment.RuntimeOnlyEvaluation {
		if runtime, err = h.r.evaluateMap(ctx, runtime, functions.Scope{Self: i.ID}); err != nil {
			return operation.Instance{}, fmt.Errorf("evaluate the runtime properties of %s: %w", i.ID, err)
		}
	}
	return operation.Instance{
		ID: i.ID, NodeID: i.NodeID, HostID: i.HostID, Index: i.Index, State: i.State, Version: i.Version,
		RuntimeProperties: runtime, SystemProperties: i.SystemProperties, ScalingGroups: i.ScalingGroups,
	}, nil
}

// UpdateInstance implements operation.Surroundings.
func (h workflowHost) UpdateInstance(ctx context.Context, instanceID string, version int, runtime map[string]any) (int, error) {
	return h.asOperation().UpdateInstance(ctx, instanceID, version, runtime)
}

// Resource implements operation.Surroundings.
func (h workflowHost) Resource(ctx context.Context, path string) ([]byte, error) {
	return h.asOperation().Resource(ctx, path)
}

// asOperation is what an operation of the deployment may do.
func (h workflowHost) asOperation() *operationHost {
	return &operationHost{r: h.r, req: &operation.Request{
		Tenant: h.r.e.Tenant, DeploymentID: h.r.e.DeploymentID, BlueprintID: h.r.deployment.BlueprintID,
	}}
}
