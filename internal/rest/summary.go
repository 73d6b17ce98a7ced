package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"windlass/internal/catalog"
	"windlass/internal/execution"
	"windlass/internal/store"
	"windlass/internal/value"
)

// counted is a kind of record that can be summarised: which fields it can be
// grouped by, and how to read one.
type counted struct {
	fields []string
	list   listed
	// visit calls fn with a function that gives the fields of each record.
	visit func(ctx context.Context, q store.Query, fn func(get func(string) any)) error
}

func (s *server) summaries() map[string]counted {
	return map[string]counted{
		"blueprints": {[]string{"tenant_name", "visibility"}, blueprintList, visiting(s.Store.ListBlueprints, func(b store.Blueprint) func(string) any {
			return shapeGetter(blueprintShape, blueprint{Blueprint: b})
		})},
		"deployments": {[]string{"tenant_name", "visibility", "blueprint_id", "site_name", "deployment_status"}, deploymentList,
			s.visitDeployments},
		"executions": {[]string{"tenant_name", "visibility", "status", "status_display", "blueprint_id", "deployment_id", "workflow_id"}, executionList,
			visiting(s.Store.ListExecutions, func(e store.Execution) func(string) any { return shapeGetter(executionShape, e) })},
		"nodes": {[]string{"tenant_name", "visibility", "deployment_id"}, nodeList,
			visiting(s.Store.ListNodes, func(n store.Node) func(string) any { return shapeGetter(nodeShape, node{Node: n}) })},
		"node_instances": {[]string{"tenant_name", "visibility", "deployment_id", "index", "node_id", "state", "host_id"}, instanceList,
			visiting(s.Store.ListInstances, func(n store.NodeInstance) func(string) any { return shapeGetter(instanceShape, n) })},
		"execution_schedules": {[]string{"tenant_name", "visibility", "deployment_id", "workflow_id", "recurrence"}, scheduleList,
			visiting(s.Store.ListSchedules, func(sc store.Schedule) func(string) any {
				get := shapeGetter(scheduleShape, schedule{Schedule: sc})
				return func(name string) any {
					if name == "recurrence" {
						return recurrenceOf(sc)
					}
					return get(name)
				}
			})},
	}
}

// recurrenceOf tells whether a schedule comes more than once.
func recurrenceOf(sc store.Schedule) string {
	if times, err := execution.Occurrences(sc, sc.Since.Add(-time.Second), 2); err == nil && len(times) > 1 {
		return "recurring"
	}
	return "single"
}

func (s *server) visitDeployments(ctx context.Context, q store.Query, fn func(func(string) any)) error {
	families := catalog.NewFamilies(s.Store)
	return each(ctx, q, s.Store.ListDeployments, func(d store.Deployment) error {
		family, err := families.Of(ctx, d, true)
		if err == nil {
			fn(shapeGetter(deploymentShape, deployment{Deployment: d, family: family}))
		}
		return err
	})
}

func visiting[T any](fetch func(context.Context, store.Query) (store.Page[T], error), getter func(T) func(string) any,
) func(context.Context, store.Query, func(func(string) any)) error {
	return func(ctx context.Context, q store.Query, fn func(func(string) any)) error {
		return each(ctx, q, fetch, func(x T) error { fn(getter(x)); return nil })
	}
}

func shapeGetter[T any](s shape[T], x T) func(string) any {
	return func(name string) any {
		for _, f := range s.fields {
			if f.name == name {
				return f.get(x)
			}
		}
		return nil
	}
}

// tally counts the records with one value, and those among them with each
// value of a second field.
type tally struct {
	value any
	count int
	sub   map[string]*tally
}

func (s *server) getSummary(w http.ResponseWriter, r *request) error {
	name := r.PathValue("kind")
	c, known := s.summaries()[name]
	if !known {
		return notFound("Summary", name)
	}
	if err := r.need(strings.TrimSuffix(name, "s") + "_list"); err != nil {
		return err
	}
	target, sub := r.query.Get("_target_field"), r.query.Get("_sub_field")
	for _, f := range []string{target, sub} {
		if f == "" && f == sub && target != "" {
			continue
		}
		if !slices.Contains(c.fields, f) {
			return badParameter("Field %s is not a valid field for summary of %s. Valid fields are: %s", f, name, strings.Join(c.fields, ", "))
		}
	}
	q, err := s.listing(r, c.list)
	if err != nil {
		return err
	}
	if name == "blueprints" && !q.filters("is_hidden") {
		q.with(store.Filter{Field: "is_hidden", Values: []string{"false"}})
	}
	counts := map[string]*tally{}
	err = c.visit(r.Context(), q.Query, func(get func(string) any) {
		t := count(counts, get(target))
		if sub != "" {
			count(t.sub, get(sub))
		}
	})
	if err != nil {
		return err
	}
	items := tallies(counts, name, target, sub)
	page := slicePage(items, q)
	return ok(w, q.envelope(page.Items, page.Total, nil))
}

func count(counts map[string]*tally, v any) *tally {
	key := string(value.Encode(v))
	if counts[key] == nil {
		counts[key] = &tally{value: v, sub: map[string]*tally{}}
	}
	counts[key].count++
	return counts[key]
}

func tallies(counts map[string]*tally, name, target, sub string) []any {
	items := make([]any, 0, len(counts))
	for _, key := range value.SortedKeys(counts) {
		t := counts[key]
		item := object{target: t.value, name: t.count}
		if sub != "" {
			item["by "+sub] = tallies(t.sub, name, sub, "")
		}
		items = append(items, item)
	}
	return items
}
