package workflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
	"windlass/internal/topology"
	"windlass/internal/value"
)

// scaleNode is scale as types files of old declare it.
func scaleNode(ctx context.Context, h Host, parameters map[string]any) error {
	given := maps.Clone(parameters)
	if given == nil {
		given = map[string]any{}
	}
	given["scalable_entity_name"] = given["node_id"]
	return scaleEntity(ctx, h, given)
}

// scaleEntity changes the number of instances of a node, or of a scaling group.
// When new instances can't be brought up they are rolled back with the
// modification. A cancel rolls back the modification alone, since nothing is run
// any more. A forced cancel, and one of a scale that is not to be rolled back,
// leaves all as it is: resume it, or let the next one abort it.
func scaleEntity(ctx context.Context, h Host, parameters map[string]any) error {
	r, err := readScale(parameters)
	if err != nil {
		return err
	}
	if r.delta == 0 {
		h.Log(ctx, "info", "delta parameter is 0, so no scaling will take place.")
		return nil
	}
	m, d, err := r.modification(ctx, h)
	if err != nil {
		return err
	}
	h.Log(ctx, "info", fmt.Sprintf("Deployment modification started. [modification_id=%s]", m.ID))
	if m.Ended && !m.RolledBack {
		return nil
	}
	if m.RolledBack && d.Resume {
		return fmt.Errorf("the deployment modification %s of this execution was rolled back, so there is nothing to resume: start a new scale", m.ID)
	}
	if err := r.act(ctx, h, m); err != nil {
		var cancelled graph.Cancelled
		stopped := errors.As(err, &cancelled) && !cancelled.Forced
		if !isFailure(err) && !stopped || !r.rollback {
			return err
		}
		if stopped {
			if err := warnOfLeftovers(ctx, h, m); err != nil {
				return err
			}
		}
		h.Log(ctx, "warning", fmt.Sprintf("Rolling back deployment modification. [modification_id=%s]", m.ID))
		if failed := h.RollbackModification(ctx, m.ID); failed != nil {
			return errors.Join(err, fmt.Errorf("roll back deployment modification %s: %w", m.ID, failed))
		}
		return err
	}
	if err := h.FinishModification(ctx, m.ID); err != nil {
		return fmt.Errorf("finish deployment modification %s: %w", m.ID, err)
	}
	return nil
}

// warnOfLeftovers tells which new instances are forgotten though something was
// done for them, before a modification is rolled back without taking them down.
func warnOfLeftovers(ctx context.Context, h Host, m *Modification) error {
	d, err := h.Deployment(ctx)
	if err != nil {
		return err
	}
	added, _ := marked(m.Added, topology.Added)
	var left []string
	for _, i := range d.these(added) {
		if !i.in("uninitialized", "deleted") {
			left = append(left, fmt.Sprintf("%s (%s)", i.ID, i.State))
		}
	}
	if len(left) > 0 {
		h.Log(ctx, "warning", fmt.Sprintf("The scale was cancelled: these node instances are removed as they are, without running their "+
			"operations: %s. What is known of them is kept as before_rollback in the modification %s", strings.Join(left, ", "), m.ID))
	}
	return nil
}

// scaleRequest is what the parameters ask for.
type scaleRequest struct {
	entity                  string
	delta                   int
	compute                 bool // scale the host that the node is on
	include, exclude        []string
	ignoreFailure, rollback bool
	abortOthers             bool
}

func readScale(parameters map[string]any) (scaleRequest, error) {
	r := scaleRequest{
		compute: flag(parameters, "scale_compute"), ignoreFailure: flag(parameters, "ignore_failure"),
		rollback: flagOr(parameters, "rollback_if_failed", true), abortOthers: flag(parameters, "abort_started"),
	}
	r.entity, _ = parameters["scalable_entity_name"].(string)
	if r.entity == "" {
		return r, errors.New("parameter scalable_entity_name must name a node or a scaling group")
	}
	var err error
	if r.include, err = texts(parameters, "include_instances"); err != nil {
		return r, err
	}
	if r.exclude, err = texts(parameters, "exclude_instances"); err != nil {
		return r, err
	}
	if r.delta, err = readDelta(parameters["delta"]); err != nil {
		return r, err
	}
	if r.delta > 0 && len(r.include)+len(r.exclude) > 0 {
		//lint:ignore ST1005 the original's text
		return r, errors.New("Instances cannot be included or excluded when scaling up.")
	}
	return r, nil
}

func readDelta(v any) (int, error) {
	switch n := v.(type) {
	case int64:
		return int(n), nil
	case float64:
		return int(n), nil
	case bool:
		if n {
			return 1, nil
		}
		return 0, nil
	case string:
		if i, err := strconv.Atoi(strings.TrimSpace(n)); err == nil {
			return i, nil
		}
	}
	//lint:ignore ST1005 the original's text
	return 0, fmt.Errorf("The delta parameter must be a number. Got: %s", value.Text(v))
}

// modification starts the modification, or returns the one that this execution
// has started before it was interrupted. The deployment is as it is after that.
func (r scaleRequest) modification(ctx context.Context, h Host) (*Modification, *Deployment, error) {
	m, err := h.Modification(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	d, err := h.Deployment(ctx)
	if err != nil || m != nil {
		return m, d, err
	}
	name, change, err := r.plan(d)
	if err != nil {
		return nil, nil, err
	}
	if r.abortOthers {
		if err := abortOthers(ctx, h, r.ignoreFailure); err != nil {
			return nil, nil, err
		}
	}
	m, err = h.StartModification(ctx, map[string]topology.Change{name: change})
	return m, d, err
}

// plan works out which node or group shall have how many instances.
func (r scaleRequest) plan(d *Deployment) (name string, change topology.Change, err error) {
	var current int
	if g, ok := d.Groups[r.entity]; ok {
		members := d.groupMembers()
		available := map[string]bool{}
		for id, inside := range members {
			available[id] = true
			for _, m := range inside {
				available[m] = true
			}
		}
		if err := r.checkHints(available, members); err != nil {
			return "", change, err
		}
		n, _ := g.Properties.Current.V.(int64)
		name, current = r.entity, int(n)
	} else {
		n := d.Nodes[r.entity]
		if n == nil {
			//lint:ignore ST1005 the original's text
			return "", change, fmt.Errorf("No scalable entity named %s was found", r.entity)
		}
		available := map[string]bool{}
		for _, i := range d.Instances {
			if i.NodeID == n.ID {
				available[i.ID] = true
			}
		}
		if err := r.checkHints(available, nil); err != nil {
			return "", change, err
		}
		if host := d.Nodes[n.HostID]; r.compute && host != nil {
			n = host
		}
		name, current = n.ID, n.Count
	}
	if current+r.delta < 0 {
		//lint:ignore ST1005 the original's text
		return "", change, fmt.Errorf("Provided delta: %d is illegal. current number of instances of entity %s is %d",
			r.delta, r.entity, current)
	}
	return name, topology.Change{Instances: current + r.delta, Include: append([]string{}, r.include...), Exclude: append([]string{}, r.exclude...)}, nil
}

// groupMembers lists, for each instance of a scaling group, the instances in it.
func (d *Deployment) groupMembers() map[string][]string {
	members := map[string][]string{}
	for _, i := range d.Instances {
		for _, g := range i.ScalingGroups {
			members[g.ID] = append(members[g.ID], i.ID)
		}
	}
	return members
}

// checkHints refuses, in one error, whatever is wrong with the instances that
// are named to go or to stay. members is nil for a node.
func (r scaleRequest) checkHints(available map[string]bool, members map[string][]string) error {
	if len(r.include)+len(r.exclude) == 0 {
		return nil
	}
	var text strings.Builder
	problem := func(format string, ids []string) {
		if len(ids) > 0 {
			fmt.Fprintf(&text, format, strings.Join(ids, ", "))
		}
	}
	unknown := func(id string) bool { return !available[id] }
	problem("The following included instances did not exist: %s. ", filtered(r.include, unknown))
	problem("The following excluded instances did not exist: %s. ", filtered(r.exclude, unknown))
	problem("The following instances were both excluded and included: %s. ",
		filtered(r.exclude, func(id string) bool { return slices.Contains(r.include, id) }))
	if len(members) > 0 {
		excluded := 0
		for id, inside := range members {
			if slices.Contains(r.exclude, id) || slices.ContainsFunc(inside, func(m string) bool { return slices.Contains(r.exclude, m) }) {
				excluded++
			}
		}
		if target := len(members) + r.delta; target < excluded {
			fmt.Fprintf(&text, "Instances from too many different groups were excluded. Target number of group instances was %d, "+
				"but %d excluded groups.", target, excluded)
		}
	} else if target := len(available) + r.delta; target < len(r.exclude) {
		fmt.Fprintf(&text, "Target number of instances is less than excluded instance count. Target number of instances was %d. "+
			"Excluded instances were: %s. ", target, strings.Join(r.exclude, ", "))
	}
	if r.compute {
		text.WriteString("Cannot include or exclude instances while scale_compute is True. Please specify the desired compute instances " +
			"and set scale_compute to False. ")
	}
	if text.Len() == 0 {
		return nil
	}
	if len(members) > 0 {
		groups := make([]string, 0, len(members))
		for _, id := range value.SortedKeys(members) {
			groups = append(groups, id+": "+strings.Join(members[id], ", "))
		}
		text.WriteString("Groups and member instances were: " + strings.Join(groups, "; "))
	} else {
		text.WriteString("Available instances were: " + strings.Join(value.SortedKeys(available), ", "))
	}
	return errors.New(text.String())
}

func filtered(ids []string, keep func(string) bool) []string {
	var out []string
	has := make(map[string]bool, len(ids))
	for _, id := range ids {
		if !has[id] && keep(id) {
			has[id] = true
			out = append(out, id)
		}
	}
	return out
}

// act brings up what the modification adds, or takes down what it removes.
func (r scaleRequest) act(ctx context.Context, h Host, m *Modification) error {
	prefix := r.entity + "_"
	if r.delta < 0 {
		d, err := h.Deployment(ctx)
		if err != nil {
			return err
		}
		removed, related := marked(m.Removed, topology.Removed)
		return takeDown(ctx, h, d, d.these(removed), d.these(related), prefix+"uninstall", r.ignoreFailure)
	}
	added, related := marked(m.Added, topology.Added)
	d, err := h.Deployment(ctx)
	if err != nil {
		return err
	}
	if d.DryRun {
		d.pretend(m.Added)
	}
	failure := bringUp(ctx, h, d, d.these(added), d.these(related), prefix+"install")
	if failure == nil || !isFailure(failure) {
		return failure
	}
	if !r.rollback {
		h.Log(ctx, "error", "Scale out failed.")
		return failure
	}
	h.Log(ctx, "error", "Scale out failed, scaling back in.")
	if d, err = h.Deployment(ctx); err != nil {
		return err
	}
	err = rollBack(ctx, h, d, d.these(added), d.these(related), prefix+"rollback", r.ignoreFailure)
	if err != nil && !isFailure(err) {
		return err
	}
	return failure
}

// abortOthers takes down what modifications that were left behind have added,
// and rolls them back.
func abortOthers(ctx context.Context, h Host, ignoreFailure bool) error {
	others, err := h.ForeignModifications(ctx)
	if err != nil {
		return err
	}
	for _, m := range others {
		h.Log(ctx, "info", fmt.Sprintf("Rolling back deployment modification. [modification_id=%s]", m.ID))
		d, err := h.Deployment(ctx)
		if err != nil {
			return err
		}
		added, related := marked(m.Added, topology.Added)
		if len(added) > 0 {
			if err := takeDown(ctx, h, d, d.these(added), d.these(related), "abort_"+m.ID+"_uninstall", ignoreFailure); err != nil {
				return err
			}
		}
		if err := h.RollbackModification(ctx, m.ID); err != nil {
			return fmt.Errorf("roll back deployment modification %s: %w", m.ID, err)
		}
	}
	return nil
}

// pretend adds instances that a dry run doesn't store.
func (d *Deployment) pretend(added []plan.NodeInstance) {
	for _, p := range added {
		if n := d.Nodes[p.NodeID]; n != nil && d.Instance(p.ID) == nil {
			i := &Instance{
				ID: p.ID, NodeID: p.NodeID, HostID: p.HostID, State: "uninitialized", Relationships: p.Relationships,
				ScalingGroups: p.ScalingGroups, Node: n,
			}
			d.Instances = append(d.Instances, i)
			d.byID[i.ID] = i
		}
	}
}
