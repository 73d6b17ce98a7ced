package functions

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// need is one argument of a string function.
type need struct {
	name   string
	v      any
	number bool // an integer, else a string
}

// wrong says what is wrong with the argument; done is false while functions in
// it are still to be worked out.
func (n need) wrong(done bool) string {
	if Is(n.v) {
		if !done {
			return ""
		}
		return fmt.Sprintf("argument `%s` should not be a function (%s)", n.name, value.Text(n.v))
	}
	kind := "a string"
	_, ok := n.v.(string)
	if n.number {
		kind = "an integer"
		_, ok = index(n.v)
	}
	if ok {
		return ""
	}
	return fmt.Sprintf("argument `%s` should be %s but is of type %s (%s)", n.name, kind, value.TypeName(n.v), value.Text(n.v))
}

func validateNeeds(c call, needs []need) *problem.Problem {
	for _, n := range needs {
		if text := n.wrong(false); text != "" {
			return invalid(c, "%s", text)
		}
	}
	return nil
}

// texts gives the string arguments, or what is wrong with any argument.
func texts(c call, needs []need) ([]string, *problem.Problem) {
	var list []string
	for _, n := range needs {
		if wrong := n.wrong(true); wrong != "" {
			return nil, unable(c, "%s", wrong)
		}
		if text, ok := n.v.(string); ok {
			list = append(list, text)
		}
	}
	return list, nil
}

// needs pairs the items of an argument with their names; those named in
// numbers are integers. An optional last item that is null is not there.
func needs(c call, least int, number string, names ...string) ([]need, bool) {
	list, ok := c.args.([]any)
	if !ok || len(list) < least || len(list) > len(names) {
		return nil, false
	}
	if len(list) > least && list[len(list)-1] == nil {
		list = list[:len(list)-1]
	}
	all := make([]need, len(list))
	for i, v := range list {
		all[i] = need{name: names[i], v: v, number: names[i] == number}
	}
	return all, true
}

// stringFind is string_find: where a text is in another.
type stringFind struct{ hybrid }

func (stringFind) describe() Definition {
	return Definition{
		Summary: "The index of the first needle in the haystack, -1 if there is none.",
		Forms:   []string{"[haystack, needle]"}, Argument: schemaTuple(2, schemaText(), schemaText()),
	}
}

func (stringFind) needs(c call) ([]need, bool) { return needs(c, 2, "", "haystack", "needle") }

func (f stringFind) check(c call) *problem.Problem {
	if _, ok := f.needs(c); !ok {
		return invalid(c, "should be called with exactly two parameters")
	}
	return nil
}

func (f stringFind) validate(c call, _ place, _ upload) *problem.Problem {
	all, _ := f.needs(c)
	return validateNeeds(c, all)
}

func (f stringFind) evaluate(_ *evaluator, c call, _ place) (any, error) {
	all, _ := f.needs(c)
	t, p := texts(c, all)
	if p != nil {
		return nil, p
	}
	at := strings.Index(t[0], t[1])
	if at > 0 {
		at = utf8.RuneCountInString(t[0][:at])
	}
	return int64(at), nil
}

// stringReplace is string_replace: a text with parts replaced.
type stringReplace struct{ hybrid }

func (stringReplace) describe() Definition {
	return Definition{
		Summary:  "The haystack with every needle, or the first count of them, replaced.",
		Forms:    []string{"[haystack, needle, replacement]", "[haystack, needle, replacement, count]"},
		Argument: schemaTuple(3, schemaText(), schemaText(), schemaText(), oneOf(fragment{"type": "integer"}, schemaCall())),
	}
}

func (stringReplace) needs(c call) ([]need, bool) {
	return needs(c, 3, "count", "haystack", "needle", "replacement", "count")
}

func (f stringReplace) check(c call) *problem.Problem {
	if _, ok := f.needs(c); !ok {
		return invalid(c, "should be called with three or four parameters")
	}
	return nil
}

func (f stringReplace) validate(c call, _ place, _ upload) *problem.Problem {
	all, _ := f.needs(c)
	return validateNeeds(c, all)
}

// longest bounds the text that one call may make: calls inside of calls can
// double it again and again.
const longest = 16 << 20

func (f stringReplace) evaluate(_ *evaluator, c call, _ place) (any, error) {
	all, _ := f.needs(c)
	t, p := texts(c, all)
	if p != nil {
		return nil, p
	}
	count := -1
	if len(all) == 4 {
		count, _ = index(all[3].v)
	}
	if (strings.Count(t[0], t[1])+1)*len(t[2]) > longest {
		return nil, unable(c, "the result would be longer than %d bytes", longest)
	}
	return strings.Replace(t[0], t[1], t[2], count), nil
}

// stringSplit is string_split: the parts of a text, or one of them.
type stringSplit struct{ hybrid }

func (stringSplit) describe() Definition {
	return Definition{
		Summary:  "The list of parts of a text between separators, or the part at an index.",
		Forms:    []string{"[text, separator]", "[text, separator, index]"},
		Argument: schemaTuple(2, schemaText(), schemaText(), oneOf(fragment{"type": "integer"}, schemaCall())),
	}
}

func (stringSplit) needs(c call) ([]need, bool) {
	return needs(c, 2, "index", "input", "separator", "index")
}

func (f stringSplit) check(c call) *problem.Problem {
	if _, ok := f.needs(c); !ok {
		return invalid(c, "should be called with two or three parameters")
	}
	return nil
}

func (f stringSplit) validate(c call, _ place, _ upload) *problem.Problem {
	all, _ := f.needs(c)
	return validateNeeds(c, all)
}

func (f stringSplit) evaluate(_ *evaluator, c call, _ place) (any, error) {
	all, _ := f.needs(c)
	t, p := texts(c, all)
	if p != nil {
		return nil, p
	}
	if t[1] == "" {
		return nil, problem.New(problem.BadValue, "Unable to evaluate %s function: empty separator", c.name)
	}
	var parts []any
	for _, part := range strings.Split(t[0], t[1]) {
		parts = append(parts, part)
	}
	if len(all) < 3 {
		return parts, nil
	}
	item, _, ok := take(parts, all[2].v)
	if !ok {
		return nil, unable(c, "there are %d parts, but the one at index %s is asked for", len(parts), value.Text(all[2].v))
	}
	return item, nil
}

// stringCase is string_lower and string_upper.
type stringCase struct {
	hybrid
	upper bool
}

func (f stringCase) describe() Definition {
	summary := "A text with all letters in lower case."
	if f.upper {
		summary = "A text with all letters in upper case."
	}
	return Definition{Summary: summary, Forms: []string{"text"}, Argument: schemaText()}
}

func (stringCase) check(c call) *problem.Problem {
	m, isDict := c.args.(map[string]any)
	if _, ok := c.args.(string); ok || isDict && len(m) == 1 || Is(c.args) {
		return nil
	}
	return invalid(c, "should be called with exactly one parameter")
}

func (stringCase) validate(c call, _ place, _ upload) *problem.Problem {
	return validateNeeds(c, []need{{name: "input", v: c.args}})
}

func (f stringCase) evaluate(_ *evaluator, c call, _ place) (any, error) {
	t, p := texts(c, []need{{name: "input", v: c.args}})
	if p != nil {
		return nil, p
	}
	if f.upper {
		return strings.ToUpper(t[0]), nil
	}
	return strings.ToLower(t[0]), nil
}
