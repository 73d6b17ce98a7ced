package cli

import (
	"fmt"
	"regexp"
	"strings"
)

// The forms of filter rules on a command line, such as env=prod, env!=[a,b],
// "env is null" and "id starts-with x".
var (
	ruleWithValues = regexp.MustCompile(`^([\w.~-]+)(!=|=| is-not | contains | does-not-contain | starts-with | ends-with )(.+)$`)
	ruleWithout    = regexp.MustCompile(`^([\w.~-]+) (is null|is not null|is not empty)$`)
)

var ruleOperators = map[string]string{
	"=": "any_of", "!=": "not_any_of", "is-not": "is_not", "contains": "contains", "does-not-contain": "not_contains",
	"starts-with": "starts_with", "ends-with": "ends_with", "is null": "is_null", "is not null": "is_not_null", "is not empty": "is_not_empty",
}

// parseRule reads a rule as the API takes it. What operators go with labels and
// attributes is up to the manager to say.
func parseRule(text, kind string) (object, error) {
	if m := ruleWithout.FindStringSubmatch(text); m != nil {
		return object{"key": m[1], "values": []any{}, "operator": ruleOperators[m[2]], "type": kind}, nil
	}
	m := ruleWithValues.FindStringSubmatch(text)
	if m == nil {
		return nil, usageError{fmt.Errorf("the rule %q is not in the right format: write key=value, key!=value, key=[value1,value2], "+
			"\"key is-not value\", \"key is null\", \"key is not null\" for labels; for attributes also contains, does-not-contain, "+
			"starts-with, ends-with and \"key is not empty\"", text)}
	}
	return object{"key": m[1], "values": ruleValues(m[3]), "operator": ruleOperators[strings.TrimSpace(m[2])], "type": kind}, nil
}

// ruleValues reads one value, or several in brackets; \, and \: stand for
// the characters themselves.
func ruleValues(text string) []any {
	const comma = "\x00"
	text = strings.ReplaceAll(text, `\,`, comma)
	parts := []string{text}
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		parts = strings.Split(text[1:len(text)-1], ",")
	}
	values := make([]any, len(parts))
	for i, p := range parts {
		values[i] = strings.NewReplacer(comma, ",", `\:`, ":", `\$`, "$").Replace(p)
	}
	return values
}

// ruleText writes a rule the way it is given.
func ruleText(rule object) string {
	var values []string
	list, _ := rule["values"].([]any)
	for _, v := range list {
		values = append(values, strings.NewReplacer(",", `\,`, ":", `\:`, "$", `\$`).Replace(fmt.Sprint(v)))
	}
	joined := strings.Join(values, ",")
	if len(values) > 1 {
		joined = "[" + joined + "]"
	}
	for written, operator := range ruleOperators {
		if operator != rule["operator"] {
			continue
		}
		if len(values) == 0 || strings.Trim(written, "!=") != "" {
			return strings.TrimSpace(fmt.Sprintf("%q", strings.TrimSpace(fmt.Sprintf("%v %s %s", rule["key"], written, joined))))
		}
		return fmt.Sprintf("%q", fmt.Sprintf("%v%s%s", rule["key"], written, joined))
	}
	return fmt.Sprint(rule)
}

// ruleOptions are the options that name filter rules.
type ruleOptions struct {
	labels, attributes []string
	id                 string
}

// rules are the rules given; nil if none are.
func (o *ruleOptions) rules() ([]any, error) {
	var rules []any
	for kind, texts := range map[string][]string{"label": o.labels, "attribute": o.attributes} {
		for _, text := range texts {
			rule, err := parseRule(text, kind)
			if err != nil {
				return nil, err
			}
			rules = append(rules, rule)
		}
	}
	return rules, nil
}
