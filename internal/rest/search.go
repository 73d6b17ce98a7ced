package rest

import (
	"net/http"
	"slices"

	"windlass/internal/store"
	"windlass/internal/value"
)

// Attributes that filter rules of each kind of record may name.
var (
	deploymentAttributes = []string{"id", "blueprint_id", "created_by", "site_name", "schedules", "tenant_name", "display_name", "installation_status"}
	blueprintAttributes  = []string{"created_by", "state", "id", "tenant_name"}
	nodeAttributes       = []string{"id", "type", "operation_name"}
	instanceAttributes   = []string{"id"}
	secretAttributes     = []string{"key", "provider_name"}
)

// searched says how a kind of record is searched.
type searched struct {
	attributes []string
	labels     bool
	filters    []string // kinds of stored filters that may be named; nil: none
	name       string   // field that name patterns are about
	id         string   // field that valid values are about
}

// The searches that know stored filters.
var (
	blueprintSearch  = searched{blueprintAttributes, true, []string{store.FilterBlueprints}, "id", "id"}
	deploymentSearch = searched{deploymentAttributes, true, []string{store.FilterDeployments}, "display_name", "id"}
	workflowSearch   = searched{deploymentAttributes, true, []string{store.FilterWorkflows, store.FilterDeployments}, "display_name", "id"}
)

// rules reads the rules of a search from its body: either filter rules or the
// constraints of a data type.
func (s *server) rules(r *request, k searched, q *listing) ([]rule, error) {
	constraints := r.dict("constraints")
	raw := r.list("filter_rules")
	if len(constraints) > 0 && len(raw) > 0 {
		return nil, badParameter("Provide either DSL constraints or filter_id/filter_rules, not both")
	}
	id := r.query.Get("_filter_id")
	if len(constraints) > 0 && id != "" {
		return nil, badParameter("Provide either DSL constraints or filter_id/filter_rules, not both")
	}
	if len(constraints) > 0 {
		return s.constraintRules(r, constraints, k, q)
	}
	if id != "" {
		stored, err := s.storedRules(r, id, k.filters...)
		if err != nil {
			return nil, err
		}
		raw = append(stored, raw...)
	}
	return s.understood(r, raw, k, q)
}

// understood reads rules; those that only this room can follow become filters
// of the list.
func (s *server) understood(r *request, raw []any, k searched, q *listing) ([]rule, error) {
	all, err := parseRules(raw, k.attributes, k.labels)
	if err != nil {
		return nil, err
	}
	var rules []rule
	for _, rl := range all {
		switch {
		case !rl.OnLabel && rl.Key == "schedules":
			if rl.Operator != "is_not_empty" {
				return nil, badParameter("Deployments can be filtered by schedules only with the operator is_not_empty")
			}
			if err := s.withSchedules(r.Context(), q); err != nil {
				return nil, err
			}
		case !rl.OnLabel && rl.Key == "operation_name":
			return nil, notYet("Filtering nodes by operation")
		default:
			rules = append(rules, rl)
		}
	}
	return rules, nil
}

// constraintRules turns the constraints of a data type into rules.
func (s *server) constraintRules(r *request, constraints map[string]any, k searched, q *listing) ([]rule, error) {
	var rules []rule
	for _, name := range value.SortedKeys(constraints) {
		v := constraints[name]
		bad := badParameter("Constraint %s has not the right form: %s", name, value.Repr(v))
		switch name {
		case "filter_id":
			stored, err := s.storedRules(r, textOf(v), k.filters...)
			if err != nil {
				return nil, err
			}
			more, err := s.understood(r, stored, k, q)
			if err != nil {
				return nil, err
			}
			rules = append(rules, more...)
		case "labels":
			items, isList := v.([]any)
			if !isList || !k.labels {
				return nil, bad
			}
			labels, err := parseLabels(items, "", s.Now())
			if err != nil {
				return nil, err
			}
			byKey := map[string][]string{}
			for _, l := range labels {
				byKey[l.Key] = append(byKey[l.Key], l.Value)
			}
			for _, key := range value.SortedKeys(byKey) {
				rules = append(rules, rule{Key: key, Values: byKey[key], Operator: "any_of", OnLabel: true})
			}
		case "tenants", "valid_values":
			values, good := texts(v)
			if !good {
				return nil, bad
			}
			key := k.id
			if name == "tenants" {
				key = "tenant_name"
			}
			rules = append(rules, rule{Key: key, Values: values, Operator: "any_of"})
		case "name_pattern":
			patterns, isMap := v.(map[string]any)
			if !isMap {
				return nil, bad
			}
			for _, op := range value.SortedKeys(patterns) {
				pattern, isText := patterns[op].(string)
				operator := op
				if op == "equals_to" {
					operator = "any_of"
				}
				if _, known := store.RuleOperators[operator]; !known || !isText {
					return nil, bad
				}
				rules = append(rules, rule{Key: k.name, Values: []string{pattern}, Operator: operator})
			}
		case "deployment_id", "blueprint_id":
			id, isText := v.(string)
			if !isText {
				return nil, bad
			}
			q.with(store.Filter{Field: name, Values: []string{id}})
		default:
			return nil, badParameter("Unknown constraint: %s. Allowed are: filter_id, labels, tenants, name_pattern, valid_values, deployment_id, blueprint_id", name)
		}
	}
	return rules, nil
}

func texts(v any) ([]string, bool) {
	items, isList := v.([]any)
	if !isList {
		return nil, false
	}
	out := make([]string, len(items))
	for i, item := range items {
		var isText bool
		if out[i], isText = item.(string); !isText {
			return nil, false
		}
	}
	return out, true
}

func (s *server) searchBlueprints(w http.ResponseWriter, r *request) error {
	l := blueprintList
	l.labels = true
	q, err := s.listing(r, l)
	if err != nil {
		return err
	}
	rules, err := s.rules(r, blueprintSearch, &q)
	if err != nil {
		return err
	}
	return s.replyBlueprints(w, r, q, rules)
}

func (s *server) searchDeployments(w http.ResponseWriter, r *request) error {
	q, rules, err := s.deploymentSearch(r, deploymentSearch)
	if err != nil {
		return err
	}
	return s.replyDeployments(w, r, q, rules)
}

func (s *server) deploymentSearch(r *request, kind searched) (listing, []rule, error) {
	q, err := s.deploymentListing(r)
	if err != nil {
		return q, nil, err
	}
	rules, err := s.rules(r, kind, &q)
	return q, rules, err
}

func (s *server) searchWorkflows(w http.ResponseWriter, r *request) error {
	q, rules, err := s.deploymentSearch(r, workflowSearch)
	if err != nil {
		return err
	}
	return s.replyWorkflows(w, r, q, rules)
}

func (s *server) searchNodes(w http.ResponseWriter, r *request) error {
	q, rules, err := s.nodeSearch(r, "id")
	if err != nil {
		return err
	}
	return s.replyNodes(w, r, q, rules)
}

// nodeSearch reads a search for nodes of one deployment or of the deployments
// of one blueprint.
func (s *server) nodeSearch(r *request, name string) (listing, []rule, error) {
	l := nodeList
	l.filters = append(slices.Clone(l.filters), "blueprint_id")
	q, err := s.listing(r, l)
	if err != nil {
		return q, nil, err
	}
	rules, err := s.rules(r, searched{nodeAttributes, false, nil, name, name}, &q)
	if err != nil {
		return q, nil, err
	}
	if !q.filters("deployment_id") && !q.filters("blueprint_id") && len(rules) == 0 {
		return q, nil, badParameter("You should provide either deployment_id or blueprint_id")
	}
	return q, rules, s.expandBlueprint(r, &q)
}

// expandBlueprint replaces a filter on the blueprint by one on its deployments.
func (s *server) expandBlueprint(r *request, q *listing) error {
	i := slices.IndexFunc(q.Filters, func(f store.Filter) bool { return f.Field == "blueprint_id" })
	if i < 0 {
		return nil
	}
	ids := []string{""} // so that no deployment at all gives nothing
	deployments := store.Query{Tenants: q.Tenants, Viewer: q.Viewer, Filters: []store.Filter{q.Filters[i]}}
	err := each(r.Context(), deployments, s.Store.ListDeployments, func(d store.Deployment) error {
		ids = append(ids, d.ID)
		return nil
	})
	q.Filters[i] = store.Filter{Field: "deployment_id", Values: ids}
	return err
}

// searchNodeTypes lists the types of nodes, each once a deployment.
func (s *server) searchNodeTypes(w http.ResponseWriter, r *request) error {
	search := r.query.Get("_search")
	r.query.Del("_search") // it is about the type, not the id
	q, rules, err := s.nodeSearch(r, "type")
	if err != nil {
		return err
	}
	for _, rl := range rules {
		q.with(rl.Filter())
	}
	seen := map[[2]string]bool{}
	items := []any{}
	err = each(r.Context(), q.Query, s.Store.ListNodes, func(n store.Node) error {
		key := [2]string{n.DeploymentID, n.Type}
		if !seen[key] && containsFold(n.Type, search) {
			seen[key] = true
			items = append(items, object{"type": n.Type, "deployment_id": n.DeploymentID})
		}
		return nil
	})
	if err != nil {
		return err
	}
	page := slicePage(items, q)
	return ok(w, q.envelope(page.Items, page.Total, nil))
}

func (s *server) searchInstances(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, instanceList)
	if err != nil {
		return err
	}
	rules, err := s.rules(r, searched{instanceAttributes, false, nil, "id", "id"}, &q)
	if err != nil {
		return err
	}
	return s.replyInstances(w, r, q, rules)
}

func (s *server) searchSecrets(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, secretList)
	if err != nil {
		return err
	}
	rules, err := s.rules(r, searched{secretAttributes, false, nil, "key", "key"}, &q)
	if err != nil {
		return err
	}
	return s.replySecrets(w, r, q, rules)
}

// searchCapabilities lists the capabilities of one deployment that match.
func (s *server) searchCapabilities(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, listed{})
	if err != nil {
		return err
	}
	constraints := r.dict("constraints")
	id, isText := constraints["deployment_id"].(string)
	if !isText {
		return badParameter("You should provide the deployment_id as a constraint")
	}
	d, err := s.visibleDeployment(r, id)
	if err != nil {
		return err
	}
	values, err := s.Catalog.Capabilities(r.Context(), d.Tenant, d.ID)
	if err != nil {
		return err
	}
	found := []any{}
	for _, name := range value.SortedKeys(values) {
		if containsFold(name, q.Search) {
			found = append(found, object{name: object{"value": values[name]}})
		}
	}
	return ok(w, q.envelope([]any{object{"deployment_id": d.ID, "capabilities": found}}, 1, nil))
}

// searchScalingGroups lists the scaling groups of deployments.
func (s *server) searchScalingGroups(w http.ResponseWriter, r *request) error {
	search := r.query.Get("_search")
	r.query.Del("_search")
	if id := r.query.Get("deployment_id"); id != "" {
		r.query.Set("id", id)
		r.query.Del("deployment_id")
	}
	q, err := s.listing(r, deploymentList)
	if err != nil {
		return err
	}
	if id, isText := r.dict("constraints")["deployment_id"].(string); isText {
		q.with(store.Filter{Field: "id", Values: []string{id}})
	}
	if !q.filters("id") && !q.filters("blueprint_id") {
		return badParameter("You should provide either deployment_id or blueprint_id")
	}
	items := []any{}
	err = each(r.Context(), q.Query, s.Store.ListDeployments, func(d store.Deployment) error {
		for _, name := range value.SortedKeys(d.ScalingGroups) {
			if g := d.ScalingGroups[name]; containsFold(name, search) {
				items = append(items, object{"deployment_id": d.ID, "name": name, "members": array(g.Members), "properties": g.Properties})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	page := slicePage(items, q)
	return ok(w, q.envelope(page.Items, page.Total, nil))
}
