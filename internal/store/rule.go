package store

import (
	"slices"
	"strings"
)

// Rule is one rule of a filter: what a record's label or attribute must be like.
type Rule struct {
	Key      string
	Values   []string
	Operator string
	OnLabel  bool
}

// RuleOperators are those of rules about attributes, as they are asked of the store.
var RuleOperators = map[string]Op{
	"any_of": In, "not_any_of": NotIn, "contains": Contains, "not_contains": NotContains,
	"starts_with": StartsWith, "ends_with": EndsWith, "is_not_empty": IsNotNull,
}

// Filter is the form in which a rule about an attribute is asked of the store.
func (r Rule) Filter() Filter {
	return Filter{Field: r.Key, Op: RuleOperators[r.Operator], Values: r.Values}
}

// Matches tells whether labels satisfy a rule about labels.
func (r Rule) Matches(labels []Label) bool {
	has, any, other := false, false, false
	for _, l := range labels {
		if l.Key != r.Key {
			continue
		}
		has = true
		if slices.Contains(r.Values, l.Value) {
			any = true
		} else {
			other = true
		}
	}
	switch r.Operator {
	case "any_of":
		return any
	case "not_any_of":
		return other
	case "is_null":
		return !has
	case "is_not_null":
		return has
	}
	return !any // is_not
}

// StoredRules reads the rules of a stored filter. They were checked before they
// were stored.
func StoredRules(f StoredFilter) []Rule {
	rules := make([]Rule, 0, len(f.Rules))
	for _, item := range f.Rules {
		m, _ := item.(map[string]any)
		var r Rule
		r.Key, _ = m["key"].(string)
		r.Operator, _ = m["operator"].(string)
		values, _ := m["values"].([]any)
		for _, v := range values {
			if text, isText := v.(string); isText {
				r.Values = append(r.Values, text)
			}
		}
		if r.OnLabel = m["type"] == "label"; r.OnLabel {
			r.Key = strings.ToLower(r.Key)
		}
		rules = append(rules, r)
	}
	return rules
}

// SystemFilters are there without anybody making them: by their ids the operator
// that they put before the type environment.
var SystemFilters = map[string]string{"csys-environment-filter": "any_of", "csys-service-filter": "is_not"}

// SystemFilter is one of SystemFilters, as the tenant sees it. Blueprints have none.
func SystemFilter(tenant, kind, id string) (StoredFilter, bool) {
	operator, known := SystemFilters[id]
	if !known || kind == FilterBlueprints {
		return StoredFilter{}, false
	}
	return StoredFilter{
		Owned: Owned{Tenant: tenant, Visibility: Global, CreatedBy: "admin"}, Kind: kind, ID: id,
		Rules: []any{map[string]any{"key": "csys-obj-type", "values": []any{"environment"}, "operator": operator, "type": "label"}},
	}, true
}
