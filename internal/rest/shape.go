package rest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"windlass/internal/value"
)

// object is a JSON object on its way out.
type object = map[string]any

// kind is the JSON type of a field or parameter.
type kind string

const (
	text    kind = "string"
	integer kind = "integer"
	boolean kind = "boolean"
	moment  kind = "date-time"
	dict    kind = "object"
	list    kind = "array"
	any_    kind = "any"
)

// field is one member of an object: how to get it from the record.
type field[T any] struct {
	name string
	kind kind
	get  func(T) any
}

// shape is the JSON form of a record. The same table encodes it, answers
// _include and describes it in the OpenAPI document.
type shape[T any] struct {
	name   string
	fields []field[T]
}

func (s shape[T]) names() []string {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	return names
}

// check refuses names that are no fields.
func (s shape[T]) check(include []string) error {
	var unknown []string
	names := s.names()
	for _, n := range include {
		if !slices.Contains(names, n) {
			unknown = append(unknown, n)
		}
	}
	if len(unknown) > 0 {
		return fail("no_such_include_field_error", "Include keys '%s' do not exist. Allowed keys are: %s", pyList(unknown), pyList(names))
	}
	return nil
}

// encode makes the object of x, of the included fields only if any are named.
func (s shape[T]) encode(x T, include []string) object {
	o := make(object, len(s.fields))
	for _, f := range s.fields {
		if len(include) == 0 || slices.Contains(include, f.name) {
			o[f.name] = f.get(x)
		}
	}
	return o
}

// describe gives the fields for the OpenAPI document.
func (s shape[T]) describe() (string, []param) {
	ps := make([]param, len(s.fields))
	for i, f := range s.fields {
		ps[i] = param{name: f.name, kind: f.kind}
	}
	return s.name, ps
}

// pyList writes names as the original's messages do: ['a', 'b'].
func pyList(names []string) string {
	return "['" + strings.Join(names, "', '") + "']"
}

// date is a time on the wire: UTC with milliseconds, null if there is none.
func date(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// orNull is null for the empty string.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func pointer(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

// mapOrNull is null for a map that is not there.
func mapOrNull(m map[string]any) any {
	if m == nil {
		return nil
	}
	return m
}

// mapOrEmpty is {} for a map that is not there.
func mapOrEmpty(m map[string]any) any {
	if m == nil {
		return object{}
	}
	return m
}

// typed gives a map of records as a JSON object, {} if it is nil.
func typed[V any](m map[string]V) any {
	o := make(object, len(m))
	for k, v := range m {
		o[k] = v
	}
	return o
}

// array gives a slice as a JSON array, [] if it is nil.
func array[V any](items []V) any {
	out := make([]any, len(items))
	for i, v := range items {
		out[i] = v
	}
	return out
}

// parseTime reads a date of a request, which must name its zone.
func parseTime(what, s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00",
		"2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05.999999Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02", "2006-01-02T15:04"} {
		if _, err := time.Parse(layout, s); err == nil {
			return time.Time{}, badParameter("Date `%s` missing timezone information, please provide valid date. "+
				"Expected format: YYYYMMDDHHMM+HHMM or YYYYMMDDHHMM-HHMM or an ISO date with a zone", s)
		}
	}
	return time.Time{}, badParameter("%s: `%s` is not a date; use the form 2006-01-02T15:04:05Z", what, s)
}

// pyTypes names the kinds as the original's messages do.
var pyTypes = map[kind]string{text: "str", integer: "int", boolean: "bool", dict: "dict", list: "list"}

// fits tells whether v is of the kind.
func (k kind) fits(v any) bool {
	switch k {
	case any_:
		return true
	case integer:
		_, ok := v.(int64)
		return ok
	case moment:
		_, ok := v.(string)
		return ok
	}
	return value.TypeName(v) == pyTypes[k]
}

func wrongType(name string, k kind, v any) error {
	want := pyTypes[k]
	if want == "" {
		want = "str"
	}
	return badParameter("%s parameter is expected to be of type %s but is of type %s", name, want, value.TypeName(v))
}

// parseBool reads a boolean as clients write them: JSON's, or True and False
// in any case.
func parseBool(name string, v any) (bool, error) {
	switch t := v.(type) {
	case bool:
		return t, nil
	case string:
		switch strings.ToLower(t) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, badParameter("%s must be <true/false>, got %s", name, fmt.Sprint(value.Text(v)))
}
