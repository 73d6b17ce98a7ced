package execution

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/topology"
	"windlass/internal/value"
	"windlass/internal/workflow"
)

// CodeModificationStarted refuses a modification beside another.
const CodeModificationStarted = "existing_started_deployment_modification_error"

// CodeModificationEnded refuses to end what has ended.
const CodeModificationEnded = "deployment_modification_already_ended_error"

// The lists of a modification's node instances.
const (
	addedList   = "added_and_related"
	removedList = "removed_and_related"
	beforeList  = "before_modification"
	undoneList  = "before_rollback"
)

// idAttempts bounds how often ids are drawn anew because another deployment has one.
const idAttempts = 5

// ModificationRequest asks for a change of how many instances a deployment has.
type ModificationRequest struct {
	Tenant, DeploymentID string
	// Changes are by name of node or scaling group.
	Changes map[string]topology.Change
	// Context is kept with the modification, for whoever reads it.
	Context     map[string]any
	ExecutionID string // which works on it; "" for none
	CreatedBy   string
}

// ReadChanges reads, by name of node or scaling group, how many instances there
// shall be; it refuses, with CodeBadParameters, what doesn't say so.
func ReadChanges(nodes map[string]any) (map[string]topology.Change, error) {
	changes := make(map[string]topology.Change, len(nodes))
	for _, name := range value.SortedKeys(nodes) {
		written, _ := nodes[name].(map[string]any)
		if _, ok := written["instances"].(int64); !ok {
			return nil, refuse(CodeBadParameters, "nodes: %s must say how many `instances` it shall have, as a whole number", name)
		}
		var c topology.Change
		if err := value.Into(written, &c); err != nil {
			return nil, refuse(CodeBadParameters,
				"nodes: %s: removed_ids_include_hint and removed_ids_exclude_hint must be lists of node instance ids", name)
		}
		changes[name] = c
	}
	return changes, nil
}

// StartModification plans a change: new instances are added, ones too many are
// chosen. It refuses, with CodeModificationStarted, a second one beside it, and
// with CodeNotFound what names nothing of the deployment.
func (s *Service) StartModification(ctx context.Context, q ModificationRequest) (store.Modification, error) {
	var m store.Modification
	err := errors.New("no attempt was made")
	for range idAttempts {
		err = s.store.Write(ctx, func(tx store.Tx) (err error) {
			m, err = s.startModification(ctx, tx, q)
			return err
		})
		if !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return m, err
}

// FinishModification makes the planned numbers the current ones and removes the
// instances that go. One that has ended is refused with CodeModificationEnded.
func (s *Service) FinishModification(ctx context.Context, tenant, id string) (store.Modification, error) {
	return s.endByHand(ctx, tenant, id, "finish", store.ModificationFinished)
}

// RollbackModification takes everything back to what was before the start. It
// runs no operations. One that has ended is refused with CodeModificationEnded.
func (s *Service) RollbackModification(ctx context.Context, tenant, id string) (store.Modification, error) {
	return s.endByHand(ctx, tenant, id, "rollback", store.ModificationRolledBack)
}

func (s *Service) endByHand(ctx context.Context, tenant, id, verb, status string) (m store.Modification, err error) {
	err = s.store.Write(ctx, func(tx store.Tx) error {
		if m, err = tx.GetModification(ctx, tenant, id); err != nil {
			return err
		}
		if err := tx.Lock(modificationLock(m.Tenant, m.DeploymentID)); err != nil {
			return err
		}
		if m, err = tx.GetModification(ctx, tenant, id); err != nil {
			return err
		}
		if m.Status != store.ModificationStarted {
			return refuse(CodeModificationEnded, "Cannot %s deployment modification: %s. It is already in `%s` status.", verb, id, m.Status)
		}
		m, err = s.endModification(ctx, tx, m, status)
		return err
	})
	return m, err
}

// modificationLock is held while a modification of the deployment starts or ends.
func modificationLock(tenant, deployment string) string {
	return "modification " + tenant + "/" + deployment
}

func modificationsOf(ctx context.Context, from store.Reader, tenant, deployment string, of ...store.Filter) ([]store.Modification, error) {
	filters := append([]store.Filter{tenantIs(tenant), {Field: "deployment_id", Values: []string{deployment}}}, of...)
	page, err := from.ListModifications(ctx, store.Query{Filters: filters})
	if err != nil {
		return nil, fmt.Errorf("read the modifications of deployment %s: %w", deployment, err)
	}
	return page.Items, nil
}

func (h workflowHost) modifications(ctx context.Context, from store.Reader, of ...store.Filter) ([]store.Modification, error) {
	return modificationsOf(ctx, from, h.r.e.Tenant, h.r.e.DeploymentID, of...)
}

// Modification implements workflow.Modifier.
func (h workflowHost) Modification(ctx context.Context, id string) (*workflow.Modification, error) {
	of := []store.Filter{{Field: "execution_id", Values: []string{h.r.e.ID}}}
	if id != "" {
		of = append(of, store.Filter{Field: "id", Values: []string{id}})
	}
	mine, err := h.modifications(ctx, h.r.s.store, of...)
	if err != nil || len(mine) == 0 {
		return nil, err
	}
	return forWorkflow(mine[len(mine)-1])
}

// ForeignModifications implements workflow.Modifier.
func (h workflowHost) ForeignModifications(ctx context.Context) ([]*workflow.Modification, error) {
	started, err := h.modifications(ctx, h.r.s.store, store.Filter{Field: "status", Values: []string{store.ModificationStarted}})
	if err != nil {
		return nil, err
	}
	var others []*workflow.Modification
	for _, m := range started {
		if m.ExecutionID == h.r.e.ID {
			continue
		}
		other, err := forWorkflow(m)
		if err != nil {
			return nil, err
		}
		others = append(others, other)
	}
	return others, nil
}

func forWorkflow(m store.Modification) (*workflow.Modification, error) {
	out := &workflow.Modification{ID: m.ID, Ended: m.Status != store.ModificationStarted, RolledBack: m.Status == store.ModificationRolledBack}
	for name, list := range map[string]*[]plan.NodeInstance{addedList: &out.Added, removedList: &out.Removed} {
		if err := value.Into(m.NodeInstances[name], list); err != nil {
			return nil, fmt.Errorf("read modification %s: %w", m.ID, err)
		}
	}
	return out, nil
}

// StartModification implements workflow.Modifier.
func (h workflowHost) StartModification(ctx context.Context, changes map[string]topology.Change) (m *workflow.Modification, err error) {
	r := h.r
	if r.e.IsDryRun {
		shape, err := readShape(ctx, r.s.store, r.e.Tenant, r.e.DeploymentID)
		if err != nil {
			return nil, err
		}
		result, err := shape.modify(changes)
		return &workflow.Modification{ID: "dry-run", Added: result.Added, Removed: result.Removed}, err
	}
	q := ModificationRequest{
		Tenant: r.e.Tenant, DeploymentID: r.e.DeploymentID, Changes: changes, ExecutionID: r.e.ID, CreatedBy: r.e.CreatedBy,
		Context: map[string]any{
			"execution_id": r.e.ID, "workflow_id": r.e.WorkflowID, "deployment_id": r.e.DeploymentID, "blueprint_id": r.e.BlueprintID,
		},
	}
	var stored store.Modification
	for range idAttempts {
		err = r.write(ctx, func(tx store.Tx) error {
			stored, err = r.s.startModification(ctx, tx, q)
			return err
		})
		if !errors.Is(err, store.ErrExists) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return forWorkflow(stored)
}

// startModification starts a modification. Asked again by the same execution it
// returns the one that is under way.
func (s *Service) startModification(ctx context.Context, tx store.Tx, q ModificationRequest) (store.Modification, error) {
	var none store.Modification
	if err := tx.Lock(modificationLock(q.Tenant, q.DeploymentID)); err != nil {
		return none, err
	}
	shape, err := readShape(ctx, tx, q.Tenant, q.DeploymentID)
	if errors.Is(err, store.ErrNotFound) {
		return none, refuse(CodeNotFound, "Requested `Deployment` with ID `%s` was not found", q.DeploymentID)
	} else if err != nil {
		return none, err
	}
	started, err := modificationsOf(ctx, tx, q.Tenant, q.DeploymentID, store.Filter{Field: "status", Values: []string{store.ModificationStarted}})
	if err != nil {
		return none, err
	}
	if len(started) > 0 && q.ExecutionID != "" && started[0].ExecutionID == q.ExecutionID { // an attempt that was taken for failed
		return started[0], nil
	}
	if len(started) > 0 {
		return none, refuse(CodeModificationStarted,
			"Cannot start deployment modification while there are existing started deployment modifications. Currently started deployment "+
				"modifications: [%s]. A scale with abort_started=true takes them back first", started[0].ID)
	}
	if err := shape.checkChanges(q.Changes); err != nil {
		return none, err
	}
	result, err := shape.modify(q.Changes)
	if err != nil {
		return none, err
	}
	m := store.Modification{
		Owned: store.Owned{Tenant: q.Tenant, Visibility: shape.deployment.Visibility, CreatedBy: q.CreatedBy, CreatedAt: s.now()},
		ID:    uuid.NewString(), DeploymentID: q.DeploymentID, ExecutionID: q.ExecutionID, Status: store.ModificationStarted,
		Context: q.Context, NodeInstances: map[string]any{},
	}
	if m.Context == nil {
		m.Context = map[string]any{}
	}
	asked, err := value.Of(q.Changes)
	if err != nil {
		return none, err
	}
	m.ModifiedNodes, _ = asked.(map[string]any)
	lists := map[string]any{
		addedList: result.Added, removedList: result.Removed, "extended_and_related": result.Extended,
		"reduced_and_related": result.Reduced, beforeList: wireInstances(shape.instances),
	}
	for name, list := range lists {
		if m.NodeInstances[name], err = value.Of(list); err != nil {
			return none, err
		}
	}
	if err := tx.AddModification(ctx, m); err != nil {
		return none, err
	}
	for _, name := range value.SortedKeys(q.Changes) {
		n := q.Changes[name].Instances
		if err := shape.setCount(ctx, tx, name, func(s *store.NodeScale) { s.Planned = n },
			func(p *plan.Scalable) { p.Planned = value.Any{V: int64(n)} }); err != nil {
			return none, err
		}
	}
	return m, shape.grow(ctx, tx, result.Added, topology.Added)
}

// FinishModification implements workflow.Modifier.
func (h workflowHost) FinishModification(ctx context.Context, id string) error {
	return h.endModification(ctx, id, "finish", store.ModificationFinished)
}

// RollbackModification implements workflow.Modifier.
func (h workflowHost) RollbackModification(ctx context.Context, id string) error {
	return h.endModification(ctx, id, "rollback", store.ModificationRolledBack)
}

// endModification ends a modification, unless it has ended that way already.
func (h workflowHost) endModification(ctx context.Context, id, verb, status string) error {
	r := h.r
	if r.e.IsDryRun {
		return nil
	}
	return r.write(ctx, func(tx store.Tx) error {
		if err := tx.Lock(modificationLock(r.e.Tenant, r.e.DeploymentID)); err != nil {
			return err
		}
		m, err := tx.GetModification(ctx, r.e.Tenant, id)
		if err != nil || m.Status == status {
			return err
		}
		if m.Status != store.ModificationStarted {
			return refuse(CodeModificationEnded, "Cannot %s deployment modification: %s. It is already in `%s` status.", verb, id, m.Status)
		}
		_, err = r.s.endModification(ctx, tx, m, status)
		return err
	})
}

// endModification finishes a modification that is under way, or rolls it back.
func (s *Service) endModification(ctx context.Context, tx store.Tx, m store.Modification, status string) (store.Modification, error) {
	shape, err := readShape(ctx, tx, m.Tenant, m.DeploymentID)
	if err != nil {
		return m, err
	}
	end := shape.finish
	if status == store.ModificationRolledBack {
		end = shape.rollBack
		if _, at, ok, err := s.latestUpdate(ctx, tx, store.Execution{Owned: store.Owned{Tenant: m.Tenant}, DeploymentID: m.DeploymentID}); err != nil {
			return m, err
		} else if ok && at.After(m.CreatedAt) {
			end = shape.withdraw
		}
	}
	if err := end(ctx, tx, &m); err != nil {
		return m, err
	}
	m.Status, m.EndedAt = status, s.now()
	return m, tx.UpdateModification(ctx, m)
}

func (s *shape) finish(ctx context.Context, tx store.Tx, m *store.Modification) error {
	var changes map[string]topology.Change
	if err := value.Into(m.ModifiedNodes, &changes); err != nil {
		return err
	}
	for _, name := range value.SortedKeys(changes) {
		n := changes[name].Instances
		if err := s.setCount(ctx, tx, name, func(s *store.NodeScale) { s.Current, s.Planned = n, n },
			func(p *plan.Scalable) { p.Current, p.Planned = value.Any{V: int64(n)}, value.Any{V: int64(n)} }); err != nil {
			return err
		}
	}
	var removed []plan.NodeInstance
	if err := value.Into(m.NodeInstances[removedList], &removed); err != nil {
		return err
	}
	return s.shrink(ctx, tx, removed, topology.Removed)
}

func (s *shape) rollBack(ctx context.Context, tx store.Tx, m *store.Modification) error {
	var before []wireInstance
	if err := value.Into(m.NodeInstances[beforeList], &before); err != nil {
		return err
	}
	if err := s.unplan(ctx, tx, m); err != nil {
		return err
	}
	return s.restore(ctx, tx, before)
}

// withdraw takes back only what the modification has added: what it knows of
// all else is no longer so.
func (s *shape) withdraw(ctx context.Context, tx store.Tx, m *store.Modification) error {
	var added []plan.NodeInstance
	if err := value.Into(m.NodeInstances[addedList], &added); err != nil {
		return err
	}
	for k := range added {
		if added[k].Modification == topology.Added {
			added[k].Modification = topology.Removed
		}
	}
	if err := s.unplan(ctx, tx, m); err != nil {
		return err
	}
	return s.shrink(ctx, tx, added, topology.Removed)
}

// unplan keeps with a modification what the instances are before it is rolled
// back, and makes the current numbers the planned ones.
func (s *shape) unplan(ctx context.Context, tx store.Tx, m *store.Modification) (err error) {
	if m.NodeInstances[undoneList], err = value.Of(wireInstances(s.instances)); err != nil {
		return err
	}
	for _, name := range value.SortedKeys(m.ModifiedNodes) {
		if err := s.setCount(ctx, tx, name, func(s *store.NodeScale) { s.Planned = s.Current },
			func(p *plan.Scalable) { p.Planned = p.Current }); err != nil {
			return err
		}
	}
	return nil
}

// checkChanges refuses changes of what the deployment doesn't have, and numbers
// that can't be.
func (s *shape) checkChanges(changes map[string]topology.Change) error {
	for _, name := range value.SortedKeys(changes) {
		_, isNode := s.node(name)
		if _, isGroup := s.deployment.ScalingGroups[name]; !isNode && !isGroup {
			return refuse(CodeNotFound, "Requested `Node` with ID `%s` was not found", name)
		}
		if n := changes[name].Instances; n < 0 {
			return refuse(CodeBadParameters, "%s can't have %d instances: the number must not be negative", name, n)
		}
	}
	return nil
}
