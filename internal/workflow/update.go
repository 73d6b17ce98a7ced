package workflow

import (
	"context"
	"maps"
	"slices"
	"time"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
	"windlass/internal/topology"
)

// updateFailedKey marks instances whose update failed, with the execution's id.
const updateFailedKey = "update_failed"

// update makes the deployment what a blueprint and inputs say now: it removes
// what is gone, updates or reinstalls what has changed, and installs what is new.
func update(ctx context.Context, h Host, parameters map[string]any) error {
	u, err := h.PrepareUpdate(ctx, parameters)
	if err != nil || u.Preview {
		return err
	}
	if custom, _ := parameters["workflow_id"].(string); custom != "" {
		if err := h.RunCustomUpdate(ctx, custom, u.customParameters(parameters)); err != nil {
			return err
		}
		return h.FinishUpdate(ctx, u)
	}
	w := &updater{Update: u, h: h, parameters: parameters, ignore: flag(parameters, "ignore_failure")}
	steps := []func(context.Context) error{w.remove, w.change, w.install}
	if flag(parameters, "install_first") {
		steps = []func(context.Context) error{w.install, w.remove, w.change}
	}
	for _, step := range append(steps, func(ctx context.Context) error { return h.FinishUpdate(ctx, u) }) {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// customParameters are what a workflow gets that stands for the usual steps.
func (u *Update) customParameters(parameters map[string]any) map[string]any {
	m := map[string]any{
		"update_id": u.ID, "skip_install": flag(parameters, "skip_install"), "skip_uninstall": flag(parameters, "skip_uninstall"),
		"ignore_failure": flag(parameters, "ignore_failure"), "install_first": flag(parameters, "install_first"),
		"node_instances_to_reinstall": parameters["reinstall_list"], "central_plugins_to_install": nil, "central_plugins_to_uninstall": nil,
		"update_plugins":      flagOr(parameters, "update_plugins", true),
		"modified_entity_ids": map[string]any{"node": anys(u.Changed), "relationship": relationMap(u.Linked), "rel_mappings": relationMap(u.Unlinked)},
	}
	ids := func(with, without string, list []string, others []string) {
		m[with], m[without] = anys(list), anys(others)
	}
	a, b := marked(u.Added, topology.Added)
	ids("added_instance_ids", "added_target_instances_ids", a, b)
	a, b = marked(u.Removed, topology.Removed)
	ids("removed_instance_ids", "remove_target_instance_ids", a, b)
	a, b = marked(u.Extended, topology.Extended)
	ids("extended_instance_ids", "extend_target_instance_ids", a, b)
	a, b = marked(u.Reduced, topology.Reduced)
	ids("reduced_instance_ids", "reduce_target_instance_ids", a, b)
	return m
}

func relationMap(m map[string][]string) map[string]any {
	out := make(map[string]any, len(m))
	for source, targets := range m {
		out[source] = anys(targets)
	}
	return out
}

// updater takes the steps of an update.
type updater struct {
	*Update
	h          Host
	parameters map[string]any
	ignore     bool
}

// remove unlinks what is connected no more and takes down what is gone.
func (w *updater) remove(ctx context.Context) error {
	if flag(w.parameters, "skip_uninstall") {
		return nil
	}
	if len(w.Reduced) > 0 {
		if err := w.relink(ctx, "unlink-uninstall", false, w.Unlinked); err != nil {
			return err
		}
	}
	removed, related := marked(w.Removed, topology.Removed)
	if len(removed) == 0 {
		return nil
	}
	d, err := w.h.Deployment(ctx)
	if err != nil {
		return err
	}
	related = without(related, relinked(w.Reduced, topology.Reduced, w.Unlinked))
	return takeDown(ctx, w.h, d, d.these(removed), d.these(related), "uninstall", w.ignore)
}

// install brings up what is new and establishes new relationships.
func (w *updater) install(ctx context.Context) error {
	if flag(w.parameters, "skip_install") {
		return nil
	}
	if added, related := marked(w.Added, topology.Added); len(added) > 0 {
		d, err := w.h.Deployment(ctx)
		if err != nil {
			return err
		}
		related = without(related, relinked(w.Extended, topology.Extended, w.Linked))
		if err := bringUp(ctx, w.h, d, d.these(added), d.these(related), "install"); err != nil {
			return err
		}
	}
	if len(w.Extended) == 0 {
		return nil
	}
	return w.relink(ctx, "establish-install", true, w.Linked)
}

// relinked lists the instances all of whose changed relationships relink takes
// care of: no other step may run the same operations a second time.
func relinked(list []plan.NodeInstance, mark string, relations map[string][]string) (ids []string) {
	for _, i := range list {
		covered := func(r plan.InstanceRelationship) bool { return slices.Contains(relations[i.NodeID], r.TargetName) }
		if i.Modification == mark && len(i.Relationships) > 0 && !slices.ContainsFunc(i.Relationships, func(r plan.InstanceRelationship) bool { return !covered(r) }) {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

func without(ids, some []string) []string {
	not := idSet(some)
	return filtered(ids, func(id string) bool { return !not[id] })
}

// relink runs establish or unlink of the relationships between instances that
// stay, and nothing else.
func (w *updater) relink(ctx context.Context, name string, up bool, relations map[string][]string) error {
	list := w.Reduced
	if up {
		list = w.Extended
	}
	d, err := w.h.Deployment(ctx)
	if err != nil {
		return err
	}
	var ids []string
	for _, i := range list {
		ids = append(ids, i.ID)
	}
	p := &processor{builder: builder{d: d}, intact: d.these(ids), up: up, modified: relations}
	if !up {
		p.lost = make(map[string][]plan.InstanceRelationship, len(list))
		for _, i := range list {
			p.lost[i.ID] = i.Relationships
		}
	}
	return execute(ctx, w.h, name, Handlers(d, false), p.graph)
}

// change updates or reinstalls the instances that are there before and after.
func (w *updater) change(ctx context.Context) error {
	must := strs(w.parameters["reinstall_list"])
	stay, err := w.staying(ctx)
	if err != nil {
		return err
	}
	staying := idSet(stay)
	must = filtered(must, func(id string) bool { return staying[id] })
	rest := without(stay, must)
	if !flag(w.parameters, "skip_drift_check") {
		if err := checkIgnoring(ctx, w.h, "check_drift", rest, (*checker).drift); err != nil {
			return err
		}
	}
	changed, err := w.markChanged(ctx, rest)
	if err != nil {
		return err
	}
	update, reinstall, err := w.decide(ctx, rest)
	if err != nil {
		return err
	}
	if !flag(w.parameters, "skip_heal") && len(update) > 0 {
		broken, err := w.heal(ctx, update)
		if err != nil {
			return err
		}
		reinstall = union(reinstall, broken)
		update = without(update, broken)
	}
	failed, err := w.updateThese(ctx, update, staying)
	if err != nil {
		return err
	}
	reinstall = union(reinstall, failed)
	if flag(w.parameters, "skip_reinstall") {
		reinstall = nil
	}
	reinstall = union(must, reinstall)
	if len(reinstall) > 0 {
		err := reinstallAmong(ctx, w.h, w.ignore, func(d *Deployment) (*Deployment, []*Instance, []*Instance) { return w.among(d, reinstall, staying) })
		if err != nil {
			return err
		}
	}
	forget := forgetDrift(reinstall)
	for _, id := range without(changed, reinstall) {
		// The mark made here is no drift that anybody has found.
		forget = append(forget, unset(id, driftKey))
	}
	if len(forget) == 0 {
		return nil
	}
	return w.h.ChangeSystem(ctx, forget...)
}

// staying lists, once, the instances that run and are there before and after.
func (w *updater) staying(ctx context.Context) ([]string, error) {
	answer, err := w.h.Once(ctx, "update_staying", func() (any, error) {
		d, err := w.h.Deployment(ctx)
		if err != nil {
			return nil, err
		}
		added, _ := marked(w.Added, topology.Added)
		removed, _ := marked(w.Removed, topology.Removed)
		passing := idSet(append(added, removed...))
		ids := []any{}
		for _, i := range d.Instances {
			if i.in("started") && !passing[i.ID] {
				ids = append(ids, i.ID)
			}
		}
		return ids, nil
	})
	return strs(answer), err
}

// markChanged marks instances of changed nodes as drifted, where no operation
// looks for drift itself, and returns them.
func (w *updater) markChanged(ctx context.Context, ids []string) ([]string, error) {
	answer, err := w.h.Once(ctx, "update_marked", func() (any, error) {
		d, err := w.h.Deployment(ctx)
		if err != nil {
			return nil, err
		}
		nodes := idSet(w.Changed)
		marked := []any{}
		var changes []SystemChange
		for _, i := range d.these(ids) {
			if nodes[i.NodeID] && !i.Node.Operations[lifecycle+"check_drift"].IsMapped() {
				marked = append(marked, i.ID)
				changes = append(changes, SystemChange{i.ID, func(properties map[string]any, now time.Time) {
					properties[driftKey] = map[string]any{"ok": true, "result": true, "task": nil, "timestamp": now.UTC().Format(checkTime)}
				}})
			}
		}
		if len(changes) == 0 {
			return marked, nil
		}
		return marked, w.h.ChangeSystem(ctx, changes...)
	})
	return strs(answer), err
}

// decide says, once, which of the instances to update and which to reinstall.
func (w *updater) decide(ctx context.Context, ids []string) (update, reinstall []string, err error) {
	answer, err := w.h.Once(ctx, "update_choice", func() (any, error) {
		d, err := w.h.Deployment(ctx)
		if err != nil {
			return nil, err
		}
		update, reinstall := d.drifted(ids)
		if flag(w.parameters, "force_reinstall") {
			for _, i := range d.these(update) {
				reinstall = union(reinstall, d.containedIn(i))
			}
			update = nil
		}
		update = without(update, reinstall)
		return map[string]any{"update": anys(update), "reinstall": anys(reinstall)}, nil
	})
	if err != nil {
		return nil, nil, err
	}
	m, _ := answer.(map[string]any)
	return strs(m["update"]), strs(m["reinstall"]), nil
}

// drifted sorts instances by what checks have found: those that can be updated,
// and those to reinstall with all that is in them.
func (d *Deployment) drifted(ids []string) (update, reinstall []string) {
	for _, i := range d.these(ids) {
		own, related, failed := i.drift()
		switch {
		case failed, own && !i.canUpdate():
			reinstall = union(reinstall, d.containedIn(i))
		case own, related:
			update = append(update, i.ID)
		}
	}
	return update, reinstall
}

// drift tells whether the instance or its relationships differ from what they
// should be, and whether looking for that failed.
func (i *Instance) drift() (own, related, failed bool) {
	if m, ok := i.SystemProperties[driftKey].(map[string]any); ok {
		own, failed = m["result"] != nil && m["ok"] != false, m["ok"] == false
	}
	for _, key := range []string{sourceDriftKey, targetDriftKey} {
		entries, _ := i.SystemProperties[key].(map[string]any)
		for _, e := range entries {
			m, _ := e.(map[string]any)
			related = related || m["result"] != nil && m["ok"] != false
			failed = failed || m["ok"] == false
		}
	}
	return own, related, failed
}

func (i *Instance) canUpdate() bool {
	return slices.ContainsFunc([]string{"update", "update_config", "update_apply"}, func(name string) bool {
		return i.Node.Operations[lifecycle+name].IsMapped()
	})
}

// heal checks the instances that are to be updated and heals those that need
// it. It returns those that can't be healed.
func (w *updater) heal(ctx context.Context, ids []string) (broken []string, err error) {
	if err := checkIgnoring(ctx, w.h, "check_status", ids, (*checker).status); err != nil {
		return nil, err
	}
	healing := &healing{h: w.h, chosen: ids, allow: true}
	choice, err := healing.choose(ctx)
	if err != nil {
		return nil, err
	}
	if len(choice.heal) > 0 {
		if err := healThese(ctx, w.h, choice.heal); err != nil {
			return nil, err
		}
	}
	return healing.left(ctx, choice.heal)
}

// among divides the deployment for what is done to some of the instances that
// stay. Instances that are gone, or not there yet, are not part of it: their own
// steps run what is between them and these. Those that weren't up before the
// update run nothing towards these.
func (w *updater) among(of *Deployment, ids []string, staying map[string]bool) (d *Deployment, selected, others []*Instance) {
	absent, _ := marked(w.Removed, topology.Removed)
	added, _ := marked(w.Added, topology.Added)
	up := maps.Clone(staying)
	if flag(w.parameters, "install_first") && !flag(w.parameters, "skip_install") {
		maps.Copy(up, idSet(added))
	} else {
		absent = append(absent, added...)
	}
	d = of.without(idSet(absent))
	selected, all := d.split(ids)
	for _, i := range all {
		if up[i.ID] {
			others = append(others, i)
		}
	}
	return d, selected, others
}

// updateThese runs the update operations and returns the instances for which
// they failed.
func (w *updater) updateThese(ctx context.Context, ids []string, staying map[string]bool) (failed []string, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	h := w.h
	d, err := h.Deployment(ctx)
	if err != nil {
		return nil, err
	}
	d, selected, others := w.among(d, ids, staying)
	p := &processor{
		builder: builder{d: d}, selected: selected, intact: others, up: true, apart: true,
		name: func(i *Instance) string { return "update_" + i.ID }, build: (*sequencer).update,
	}
	if err := execute(ctx, h, "update", Handlers(d, false), p.graph); err != nil {
		if !isFailure(err) {
			return nil, err
		}
		h.Log(ctx, "error", "Error running update: "+err.Error())
	}
	return collectMarked(ctx, h, updateFailedKey, ids)
}

// update builds the sequence that brings a running instance to what it should
// be: its own operations if it has drifted itself, then those of relationships.
func (s *sequencer) update() {
	var operations []*graph.Task
	if own, _, _ := s.i.drift(); own {
		for _, name := range []string{"preupdate", "update", "postupdate", "update_config", "update_apply", "update_postapply"} {
			if t := s.op(lifecycle + name); t != nil {
				operations = append(operations, t)
			}
		}
	}
	sources, _ := s.i.SystemProperties[sourceDriftKey].(map[string]any)
	for _, r := range s.i.perTarget() {
		target := s.d.Instance(r.TargetID)
		if target == nil {
			continue
		}
		targets, _ := target.SystemProperties[targetDriftKey].(map[string]any)
		for _, t := range s.both(r, relLife+"update") {
			p, _ := t.Payload.(*OperationPayload)
			_, onSource := sources[r.TargetID]
			_, onTarget := targets[s.i.ID]
			if p != nil && (p.InstanceID == s.i.ID && onSource || p.InstanceID != s.i.ID && onTarget) {
				operations = append(operations, t)
			}
		}
	}
	if len(operations) == 0 {
		return
	}
	s.out.add(s.ev("Updating node instance"))
	for _, t := range operations {
		s.out.add(t)
	}
	s.out.add(s.ev("Node instance updated"))
	s.concludes(handlerUpdated, handlerUpdateFailed)
}

// forgetDrift is for instances that were made anew.
func forgetDrift(ids []string) []SystemChange {
	var changes []SystemChange
	for _, id := range ids {
		changes = append(changes, SystemChange{id, func(properties map[string]any, _ time.Time) {
			maps.DeleteFunc(properties, func(key string, _ any) bool {
				return slices.Contains([]string{driftKey, sourceDriftKey, targetDriftKey, updateFailedKey}, key)
			})
		}})
	}
	return changes
}
