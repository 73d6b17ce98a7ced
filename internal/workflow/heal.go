package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"windlass/internal/graph"
)

// healFailedKey marks instances whose healing failed, with the execution's id.
const healFailedKey = "heal_failed"

// heal brings instances that fail their check back: by their heal operation
// where they have one and it works, else by reinstalling them.
func heal(ctx context.Context, h Host, parameters map[string]any) error {
	d, err := h.Deployment(ctx)
	if err != nil {
		return err
	}
	one, _ := parameters["node_instance_id"].(string)
	diagnosis := "Not provided"
	if text, ok := parameters["diagnose_value"].(string); ok {
		diagnosis = text
	}
	var chosen []string
	if one == "" {
		h.Log(ctx, "info", fmt.Sprintf("Starting 'heal' workflow for '%s' deployment, Diagnosis: %s", d.ID, diagnosis))
		for _, i := range d.Instances {
			chosen = append(chosen, i.ID)
		}
	} else {
		h.Log(ctx, "info", fmt.Sprintf("Starting 'heal' workflow on %s, Diagnosis: %s", one, diagnosis))
		i := d.Instance(one)
		if i == nil {
			//lint:ignore ST1005 the original's text
			return fmt.Errorf("No node instance with id `%s` was found", one)
		}
		if host := d.Instance(i.HostID); host != nil {
			i = host
		}
		chosen = d.containedIn(i)
	}
	ignore := flagOr(parameters, "ignore_failure", true)
	if flag(parameters, "force_reinstall") {
		return reinstallThese(ctx, h, chosen, ignore)
	}
	if flagOr(parameters, "check_status", true) {
		if err := checkIgnoring(ctx, h, "check_status", chosen, (*checker).status); err != nil {
			return err
		}
	}
	w := &healing{h: h, chosen: chosen, proof: one != "", allow: flagOr(parameters, "allow_reinstall", true)}
	choice, err := w.choose(ctx)
	if err != nil {
		return err
	}
	if err := healThese(ctx, h, choice.heal); err != nil {
		return err
	}
	reinstall, err := w.left(ctx, choice.heal)
	if err != nil {
		return err
	}
	if len(reinstall) > 0 {
		err = reinstallThese(ctx, h, reinstall, ignore)
	}
	if err != nil {
		return err
	}
	return w.warn(ctx)
}

// checkIgnoring runs a check on instances; its failures are results, not errors.
func checkIgnoring(ctx context.Context, h Host, name string, ids []string, add func(*checker, *graph.Graph, *Instance) (*graph.Task, error)) error {
	d, err := h.Deployment(ctx)
	if err != nil {
		return err
	}
	selected, others := d.split(ids)
	c := &checker{builder: builder{d: d}, selected: selected, others: others, ignoreFailure: true}
	return c.run(ctx, h, name, func(g *graph.Graph, i *Instance) (*graph.Task, error) { return add(c, g, i) })
}

// remedy says what is to be done to which instances.
type remedy struct{ heal, reinstall []string }

// healing decides what heal does. A refusal is not kept: whoever resumes the heal
// has mended something, and the checks that failed run again then.
type healing struct {
	h      Host
	chosen []string
	proof  bool // instances without a check don't count as healthy
	allow  bool // to reinstall
}

// choose decides, once, from what the checks have found.
func (w *healing) choose(ctx context.Context) (remedy, error) {
	answer, err := w.h.Once(ctx, "heal_choice", func() (any, error) {
		_, r, err := w.remedies(ctx)
		if err != nil {
			return nil, err
		}
		return map[string]any{"heal": anys(r.heal), "reinstall": anys(r.reinstall)}, w.refusal(r.reinstall)
	})
	if err != nil {
		return remedy{}, err
	}
	m, _ := answer.(map[string]any)
	return remedy{heal: strs(m["heal"]), reinstall: strs(m["reinstall"])}, nil
}

// left decides, once, what is to be reinstalled after tried were healed: those for
// which that failed, and those that can't be healed, unless the checks have found
// them well since because the heal was resumed. It takes the marks of failures away.
func (w *healing) left(ctx context.Context, tried []string) ([]string, error) {
	answer, err := w.h.Once(ctx, "heal_reinstall", func() (any, error) {
		d, r, err := w.remedies(ctx)
		if err != nil {
			return nil, err
		}
		list := union(r.reinstall, d.marked(healFailedKey, tried))
		for _, id := range r.heal {
			if !slices.Contains(tried, id) { // it was to go with what it is in, which is well now
				list = union(list, d.containedIn(d.Instance(id)))
			}
		}
		return anys(list), w.refusal(list)
	})
	return strs(answer), errors.Join(err, unmark(ctx, w.h, healFailedKey, tried))
}

// warn tells of instances that are not there at all: checks that pass don't show
// it, and healing doesn't install them.
func (w *healing) warn(ctx context.Context) error {
	d, err := w.h.Deployment(ctx)
	if err != nil || d.DryRun {
		return err
	}
	var down []string
	for _, id := range w.chosen {
		if i := d.Instance(id); i != nil && i.State != "started" {
			down = append(down, id+" ("+i.State+")")
		}
	}
	if len(down) > 0 {
		w.h.Log(ctx, "warning", "Not started, which heal doesn't change: "+firstOf(down)+"; the workflow install does")
	}
	return nil
}

func (w *healing) remedies(ctx context.Context) (*Deployment, remedy, error) {
	d, err := w.h.Deployment(ctx)
	if err != nil {
		return nil, remedy{}, err
	}
	return d, d.remedies(w.chosen, func(i *Instance) bool { return i.isHealthy(w.proof) }), nil
}

// refusal names the instances that would have to be reinstalled, if that isn't
// allowed.
func (w *healing) refusal(ids []string) error {
	if w.allow || len(ids) == 0 {
		return nil
	}
	return errors.New("allow_reinstall is false, but would need to reinstall instances: " + firstOf(ids))
}

// firstOf names the first few of a list.
func firstOf(list []string) string {
	text := strings.Join(list[:min(len(list), 5)], ", ")
	if more := len(list) - 5; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// isHealthy tells what the last check found. Without any check an instance
// counts as healthy, unless proof is asked for.
func (i *Instance) isHealthy(proof bool) bool {
	status, _ := i.SystemProperties[statusKey].(map[string]any)
	return truthy(status["ok"]) || status["task"] == nil && !proof
}

// remedies sorts unhealthy instances into those that can be healed, and those to
// reinstall with all that is in them.
func (d *Deployment) remedies(ids []string, healthy func(*Instance) bool) remedy {
	var r remedy
	for _, id := range ids {
		i := d.Instance(id)
		switch {
		case i == nil || healthy(i) || slices.Contains(r.reinstall, id):
		case i.Node.Operations[lifecycle+"heal"].IsMapped():
			r.heal = append(r.heal, id)
		default:
			r.reinstall = union(r.reinstall, d.containedIn(i))
		}
	}
	r.heal = slices.DeleteFunc(r.heal, func(id string) bool { return slices.Contains(r.reinstall, id) })
	return r
}

// healThese runs the heal operations. Instances for which they failed are marked.
func healThese(ctx context.Context, h Host, ids []string) error {
	d, err := h.Deployment(ctx)
	if err != nil {
		return err
	}
	selected, others := d.split(ids)
	p := &processor{
		builder: builder{d: d}, selected: selected, intact: others, up: true, apart: true,
		name: func(i *Instance) string { return "heal_" + i.ID },
		build: func(s *sequencer) {
			s.out.add(s.ev("Healing node instance"))
			for _, name := range []string{"preheal", "heal", "postheal"} {
				s.out.add(s.op(lifecycle + name))
			}
			s.out.add(s.ev("Node instance healed"))
			s.concludes(handlerHealed, handlerHealFailed)
		},
	}
	if err := execute(ctx, h, "heal", Handlers(d, false), p.graph); err != nil {
		if !isFailure(err) {
			return err
		}
		h.Log(ctx, "error", "Error running heal: "+err.Error())
	}
	return nil
}

// collectMarked returns, and remembers, which of the instances this execution
// has marked, and takes the marks away.
func collectMarked(ctx context.Context, h Host, key string, ids []string) ([]string, error) {
	answer, err := h.Once(ctx, key, func() (any, error) {
		d, err := h.Deployment(ctx)
		if err != nil {
			return nil, err
		}
		return anys(d.marked(key, ids)), nil
	})
	if err != nil {
		return nil, err
	}
	return strs(answer), unmark(ctx, h, key, ids)
}

// marked lists those of the instances that this execution has marked.
func (d *Deployment) marked(key string, ids []string) []string {
	var found []string
	for _, id := range ids {
		if i := d.Instance(id); i != nil && d.ExecutionID != "" && i.SystemProperties[key] == d.ExecutionID {
			found = append(found, id)
		}
	}
	return found
}

// unmark takes the marks of this execution away.
func unmark(ctx context.Context, h Host, key string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	d, err := h.Deployment(ctx)
	if err != nil {
		return err
	}
	var changes []SystemChange
	for _, id := range d.marked(key, ids) {
		changes = append(changes, unset(id, key))
	}
	return h.ChangeSystem(ctx, changes...)
}

// concludes gives the instance's subgraph handlers for both ends; the one for
// failures ignores them.
func (s *sequencer) concludes(success, failure string) {
	if s.d.DryRun {
		return
	}
	args := map[string]any{"instance": s.i.ID}
	s.sub.OnSuccess = &graph.Handler{Name: success, Args: args}
	s.sub.OnFailure = &graph.Handler{Name: failure, Args: args, Ignores: true}
}

// noting is the handler of an instance's subgraph that changes the instance's
// system properties and goes on.
func noting(read func(t *graph.Task) *graph.Handler, change func(instance string) SystemChange) graph.HandlerFunc {
	return func(_ *graph.Graph, t *graph.Task) graph.Answer {
		id, _ := read(t).Args["instance"].(string)
		return graph.Answer{Decision: graph.Continue, Effects: []any{change(id)}}
	}
}

func onSuccess(t *graph.Task) *graph.Handler { return t.OnSuccess }
func onFailure(t *graph.Task) *graph.Handler { return t.OnFailure }

func healed(instance string) SystemChange {
	return SystemChange{instance, func(properties map[string]any, _ time.Time) {
		status := section(properties, statusKey)
		status["ok"], status["task"], status["healed"] = true, nil, true
		delete(properties, healFailedKey)
	}}
}

// reinstallThese takes instances down and up again; all others stay.
func reinstallThese(ctx context.Context, h Host, ids []string, ignoreFailure bool) error {
	return reinstallAmong(ctx, h, ignoreFailure, func(d *Deployment) (*Deployment, []*Instance, []*Instance) {
		selected, others := d.split(ids)
		return d, selected, others
	})
}

// reinstallAmong takes instances down and up again. split says, for the
// deployment as it is, what of it counts, which of that to reinstall, and which
// of it stays.
func reinstallAmong(ctx context.Context, h Host, ignoreFailure bool,
	split func(*Deployment) (d *Deployment, selected, others []*Instance),
) error {
	d, err := h.Deployment(ctx)
	if err != nil {
		return err
	}
	d, selected, others := split(d)
	if err := takeDown(ctx, h, d, selected, others, "reinstall-uninstall", ignoreFailure); err != nil {
		return err
	}
	if d, err = h.Deployment(ctx); err != nil {
		return err
	}
	d, selected, others = split(d)
	d.imagine(selected, "deleted")
	return bringUp(ctx, h, d, selected, others, "reinstall-install")
}

// union appends to a those of b that it doesn't have.
func union(a, b []string) []string {
	has := idSet(a)
	for _, id := range b {
		if !has[id] {
			has[id] = true
			a = append(a, id)
		}
	}
	return a
}
