package rest

import (
	"context"
	"slices"
	"strings"

	"windlass/internal/store"
	"windlass/internal/value"
)

// rule is one filter rule of a search.
type rule = store.Rule

var labelOperators = []string{"any_of", "not_any_of", "is_null", "is_not_null", "is_not"}

func badRule(raw any, reason string) error {
	return &apiError{
		code:    "invalid_filter_rule",
		message: "The filter rule " + value.Repr(raw) + " is not in the right format. " + reason,
		more:    map[string]any{"err_filter_rule": raw, "err_reason": reason},
	}
}

// parseRules reads filter rules; attributes are the keys that a rule of type
// attribute may have. Labels are allowed if withLabels is set.
func parseRules(raw []any, attributes []string, withLabels bool) ([]rule, error) {
	rules := make([]rule, 0, len(raw))
	for _, item := range raw {
		r, err := parseRule(item, attributes, withLabels)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseRule(raw any, attributes []string, withLabels bool) (rule, error) {
	m, isMap := raw.(map[string]any)
	var r rule
	if !isMap {
		return r, badRule(raw, "The filter rule is not a dictionary")
	}
	for _, name := range []string{"key", "values", "operator", "type"} {
		if _, given := m[name]; !given {
			return r, badRule(raw, "At least one of the entries 'key', 'values', 'operator', 'type' is missing")
		}
	}
	key, ok1 := m["key"].(string)
	operator, ok2 := m["operator"].(string)
	typ, ok3 := m["type"].(string)
	values, ok4 := m["values"].([]any)
	if !ok1 || !ok2 || !ok3 {
		return r, badRule(raw, "The filter rule key, operator and type must be of type string")
	}
	if !ok4 {
		return r, badRule(raw, "The filter rule values must be a list")
	}
	r = rule{Key: key, Operator: operator, OnLabel: typ == "label"}
	for _, v := range values {
		str, isText := v.(string)
		if !isText {
			return r, badRule(raw, "Each value must be a string")
		}
		r.Values = append(r.Values, str)
	}
	switch {
	case typ != "label" && typ != "attribute", typ == "label" && !withLabels:
		allowed := []string{"attribute"}
		if withLabels {
			allowed = []string{"label", "attribute"}
		}
		return r, badRule(raw, "The filter rule type must be one of "+pyList(allowed))
	case r.OnLabel:
		return checkLabelRule(r, raw)
	}
	return r, checkAttributeRule(r, raw, attributes)
}

func checkLabelRule(r rule, raw any) (rule, error) {
	if !slices.Contains(labelOperators, r.Operator) {
		return r, badRule(raw, "The operator for filtering by labels must be one of "+pyList(labelOperators))
	}
	r.Key = strings.ToLower(r.Key)
	needsNone := r.Operator == "is_null" || r.Operator == "is_not_null"
	if needsNone && len(r.Values) > 0 {
		return r, badRule(raw, "Values list must be empty if the operator is one of ['is_null', 'is_not_null']")
	}
	if !needsNone && len(r.Values) == 0 {
		return r, badRule(raw, "Values list must include at least one item if the operator is one of ['any_of', 'not_any_of', 'is_not']")
	}
	return r, nil
}

func checkAttributeRule(r rule, raw any, attributes []string) error {
	if !slices.Contains(attributes, r.Key) {
		return badRule(raw, "Allowed attributes to filter by are "+pyList(attributes))
	}
	if _, known := store.RuleOperators[r.Operator]; !known {
		return badRule(raw, "The operator for filtering by attributes must be one of "+pyList(value.SortedKeys(store.RuleOperators)))
	}
	if (r.Operator == "is_not_empty") != (len(r.Values) == 0) {
		return badRule(raw, "Values list must be empty if, and only if, the operator is 'is_not_empty'")
	}
	return nil
}

// filtering lists what matches all rules. Without rules it is a plain list; with
// them it also tells how many records of the tenant do not match.
func filtering[T any](ctx context.Context, q listing, rules []rule,
	fetch func(context.Context, store.Query) (store.Page[T], error), labelsOf func(T) []store.Label,
) (page store.Page[T], filtered any, err error) {
	sortLabels := slices.ContainsFunc(q.Sort, isLabelSort)
	if len(rules) == 0 && !sortLabels {
		page, err = fetch(ctx, q.Query)
		return page, nil, err
	}
	all := q.Query
	all.Limit, all.Offset, all.After = 1, 0, ""
	all.Sort, all.Full = nil, false
	everything, err := fetch(ctx, all)
	if err != nil {
		return page, nil, err
	}
	var onLabels []rule
	for _, r := range rules {
		if r.OnLabel {
			onLabels = append(onLabels, r)
		} else {
			q.with(r.Filter())
		}
	}
	if len(onLabels) == 0 && !sortLabels {
		page, err = fetch(ctx, q.Query)
	} else {
		page, err = matching(ctx, q, onLabels, fetch, labelsOf)
	}
	return page, everything.Total - page.Total, err
}

// matching filters and sorts by labels, which the store keeps inside the records.
func matching[T any](ctx context.Context, q listing, rules []rule,
	fetch func(context.Context, store.Query) (store.Page[T], error), labelsOf func(T) []store.Label,
) (store.Page[T], error) {
	if err := notInMemory(q.Query); err != nil {
		return store.Page[T]{}, err
	}
	plain := q.Query
	plain.Sort = slices.DeleteFunc(slices.Clone(q.Sort), isLabelSort)
	var found []T
	err := each(ctx, plain, fetch, func(x T) error {
		labels := labelsOf(x)
		for _, r := range rules {
			if !r.Matches(labels) {
				return nil
			}
		}
		found = append(found, x)
		return nil
	})
	if err != nil {
		return store.Page[T]{}, err
	}
	for _, key := range slices.Backward(q.Sort) {
		if isLabelSort(key) {
			sortByLabel(found, key, labelsOf)
		}
	}
	return slicePage(found, q), nil
}

const labelSort = "label:"

func isLabelSort(k store.SortKey) bool { return strings.HasPrefix(k.Field, labelSort) }

// sortByLabel orders records by their smallest value of a label; those without
// it come last.
func sortByLabel[T any](items []T, key store.SortKey, labelsOf func(T) []store.Label) {
	name := strings.TrimPrefix(key.Field, labelSort)
	least := func(x T) (string, bool) {
		best, found := "", false
		for _, l := range labelsOf(x) {
			if l.Key == name && (!found || compareText(l.Value, best) < 0) {
				best, found = l.Value, true
			}
		}
		return best, found
	}
	slices.SortStableFunc(items, func(a, b T) int {
		va, okA := least(a)
		vb, okB := least(b)
		switch {
		case okA && okB && key.Descending:
			return compareText(vb, va)
		case okA && okB:
			return compareText(va, vb)
		case okA:
			return -1
		case okB:
			return 1
		}
		return 0
	})
}
