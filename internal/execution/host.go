package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
	"windlass/internal/store"
)

// operationHost is what one running operation may ask of the manager.
type operationHost struct {
	r       *run
	req     *operation.Request
	started func() // tells that the operation has begun; more than once does nothing
}

var _ operation.Host = (*operationHost)(nil)

func (h *operationHost) Started(context.Context) error {
	h.started()
	return nil
}

// HeldUntil tells until when no other manager can have taken the execution over, by
// this machine's monotonic clock. It moves on while the operation runs: whoever acts
// for the execution where this manager may be cut off must have stopped by then.
func (h *operationHost) HeldUntil() time.Time { return *h.r.held.Load() }

func (h *operationHost) Node(ctx context.Context, s operation.Subject) (operation.Node, error) {
	return patiently(ctx, func() (operation.Node, error) { return h.node(ctx, s) })
}

func (h *operationHost) node(ctx context.Context, s operation.Subject) (operation.Node, error) {
	n, err := h.r.s.store.GetNode(ctx, h.req.Tenant, h.req.DeploymentID, s.NodeID)
	if err != nil {
		return operation.Node{}, err
	}
	properties, err := h.r.evaluateMap(ctx, n.Properties, functions.Scope{Self: s.InstanceID, Node: n.ID})
	if err != nil {
		return operation.Node{}, fmt.Errorf("evaluate the properties of node %s: %w", n.ID, err)
	}
	return operation.Node{
		ID: n.ID, Type: n.Type, TypeHierarchy: n.TypeHierarchy, Properties: properties,
		NumberOfInstances: n.Scalable.Current,
	}, nil
}

func (h *operationHost) Instance(ctx context.Context, instanceID string) (operation.Instance, error) {
	return patiently(ctx, func() (operation.Instance, error) { return h.instance(ctx, instanceID) })
}

func (h *operationHost) instance(ctx context.Context, instanceID string) (operation.Instance, error) {
	i, err := h.r.s.store.GetInstance(ctx, h.req.Tenant, instanceID)
	if err != nil {
		return operation.Instance{}, err
	}
	runtime, err := h.r.evaluateMap(ctx, i.RuntimeProperties, functions.Scope{Self: i.ID})
	if err != nil {
		return operation.Instance{}, fmt.Errorf("evaluate the runtime properties of %s: %w", i.ID, err)
	}
	n, err := h.r.s.store.GetNode(ctx, i.Tenant, i.DeploymentID, i.NodeID)
	if err != nil {
		return operation.Instance{}, err
	}
	relationships := make([]operation.InstanceRelationship, len(i.Relationships))
	for k, rel := range i.Relationships {
		relationships[k] = operation.InstanceRelationship{
			Type: rel.Type, TypeHierarchy: hierarchyOf(n, rel),
			Target: operation.Subject{NodeID: rel.TargetName, InstanceID: rel.TargetID},
		}
	}
	return operation.Instance{
		ID: i.ID, NodeID: i.NodeID, HostID: i.HostID, Index: i.Index, State: i.State, Version: i.Version,
		RuntimeProperties: runtime, SystemProperties: i.SystemProperties,
		Relationships: relationships, ScalingGroups: i.ScalingGroups,
	}, nil
}

// hierarchyOf finds the ancestry of an instance relationship's type, which the
// node tells.
func hierarchyOf(n store.Node, rel plan.InstanceRelationship) []string {
	k := slices.IndexFunc(n.Relationships, func(r plan.Relationship) bool {
		return r.Type == rel.Type && r.TargetID == rel.TargetName
	})
	if k < 0 {
		return []string{rel.Type}
	}
	return n.Relationships[k].TypeHierarchy
}

func (h *operationHost) UpdateInstance(ctx context.Context, instanceID string, version int, runtime map[string]any) (int, error) {
	var i store.NodeInstance
	err := h.r.write(ctx, func(tx store.Tx) error {
		var err error
		i, err = tx.UpdateInstance(ctx, store.InstanceUpdate{
			Tenant: h.req.Tenant, ID: instanceID, Version: version, RuntimeProperties: runtime,
		})
		return err
	})
	if errors.Is(err, store.ErrVersion) {
		return 0, fmt.Errorf("%s: %w", instanceID, operation.ErrConflict)
	}
	return i.Version, err
}

func (h *operationHost) Resource(ctx context.Context, path string) ([]byte, error) {
	finder := h.r.s.cfg.Resources
	if finder == nil {
		return nil, fmt.Errorf("%s: %w", path, operation.ErrNoResource)
	}
	return patiently(ctx, func() ([]byte, error) {
		data, err := finder.FindResource(ctx, h.req.Tenant, h.req.DeploymentID, h.req.BlueprintID, path)
		if from := h.r.updatedFrom; errors.Is(err, operation.ErrNoResource) && from != "" && from != h.req.BlueprintID {
			return finder.FindResource(ctx, h.req.Tenant, h.req.DeploymentID, from, path)
		}
		return data, err
	})
}

func (h *operationHost) ResourceFiles(ctx context.Context, directory string) ([]string, error) {
	finder := h.r.s.cfg.Resources
	if finder == nil {
		return nil, fmt.Errorf("%s: %w", directory, operation.ErrNoResource)
	}
	return patiently(ctx, func() ([]string, error) {
		return finder.ResourceFiles(ctx, h.req.Tenant, h.req.DeploymentID, h.req.BlueprintID, directory)
	})
}

func (h *operationHost) Log(level, message string) {
	line := h.about(h.r.logLine(level, message))
	line.Logger = "ctx." + h.req.TaskID
	h.r.book.add(line)
}

func (h *operationHost) Event(message string) {
	h.r.book.add(h.about(h.r.s.workflowEvent(h.r.e, "plugin_event", message)))
}

// about fills in which operation of what an event tells of.
func (h *operationHost) about(e store.Event) store.Event {
	e.Operation = h.req.Name
	if rel := h.req.Relationship; rel != nil {
		e.SourceID, e.TargetID = rel.Source.InstanceID, rel.Target.InstanceID
	} else {
		e.NodeID = h.req.Self.InstanceID
	}
	return e
}
