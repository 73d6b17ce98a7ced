// Package jsonschema describes the blueprint language as a JSON Schema, for
// editors that know such schemas. It is made from the table that blueprints are
// checked by, so that the two agree: what the schema refuses, the parser
// refuses too. The parser knows more: whether names lead anywhere, say.
package jsonschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/schema"
)

// Dialect is the version of JSON Schema that is written.
const Dialect = "https://json-schema.org/draft/2020-12/schema"

// Kind is what a schema describes.
type Kind int

// The kinds of documents.
const (
	Blueprint Kind = iota // a main document, which has to name its version
	Imported              // a document that others import
)

// Write gives the schema of a kind of document as indented JSON. Equal calls
// give equal bytes.
func Write(k Kind) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(Of(k)); err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return b.Bytes(), nil
}

type object = map[string]any

// Of gives the schema of a kind of document as untyped data.
func Of(k Kind) map[string]any {
	g := generator{definitions: object{}}
	g.definitions[valueName] = valueSchema()
	g.definitions[callName] = callSchema()
	g.definitions[constraintName] = constraintSchema()
	root := g.keys(document())
	root["$schema"] = Dialect
	root["title"] = "Blueprint"
	root["description"] = "A blueprint."
	root["type"] = "object"
	if k == Blueprint {
		root["required"] = []string{"tosca_definitions_version"}
	} else {
		root["title"] = "Imported document"
		root["description"] = "A document that blueprints import."
	}
	root["$defs"] = g.definitions
	return root
}

// document is the table, with the forms that imports have before they are
// merged in.
func document() *elements.Element {
	root, head := elements.Blueprint(), elements.Head()
	for i, k := range root.Keys {
		if e := head.Key(k.Name); e != nil {
			root.Keys[i].Element = e
		}
	}
	return root
}

// Names of definitions that are not made from the table.
const (
	valueName      = "value"
	callName       = "call"
	constraintName = "constraint"
)

func reference(name string) object { return object{"$ref": "#/$defs/" + name} }

type generator struct {
	definitions object
}

// element describes one element of the table.
func (g *generator) element(e *elements.Element) object {
	s := object{}
	switch {
	case e.Means == elements.Constraint:
		s = reference(constraintName)
	case e.Means == elements.Import:
		s["anyOf"] = []any{object{"type": "string"}, importWithProperties()}
	case e.Free:
		s = g.free(e)
	default:
		s = g.fixed(e)
	}
	s["description"] = description(e)
	return s
}

// description is the sentence of the table, with the version where it began.
func description(e *elements.Element) string {
	if e.Since == (elements.Version{}) {
		return e.Doc
	}
	return fmt.Sprintf("%s Since cloudify_dsl_%d_%d.", e.Doc, e.Since.Major, e.Since.Minor)
}

// free describes content of the user's.
func (g *generator) free(e *elements.Element) object {
	s := object{"type": typesOf(e)}
	switch {
	case len(e.Choices) > 0:
		s["items"] = object{"enum": texts(e.Choices)}
	case e.Means != elements.Plain:
		s["allOf"] = []any{reference(valueName)}
	}
	return s
}

// fixed describes an element by its forms.
func (g *generator) fixed(e *elements.Element) object {
	s := object{}
	switch {
	case len(e.Keys) > 0:
		s = g.shared(e)
	case e.Of != nil:
		s["additionalProperties"] = g.element(e.Of)
	case e.Items != nil:
		s["items"] = g.element(e.Items)
	}
	s["type"] = typesOf(e)
	if len(e.Choices) > 0 {
		choices := texts(e.Choices)
		if !e.Required {
			choices = append(choices, nil)
		}
		s["enum"] = choices
	}
	return s
}

// shared gives a reference to the keys of an element, which stand in the
// definitions once however often the table has them.
func (g *generator) shared(e *elements.Element) object {
	name := definitionName(e)
	made := g.keys(e)
	for n := 2; ; n++ {
		before, taken := g.definitions[name]
		if !taken || same(before, made) {
			break
		}
		name = fmt.Sprintf("%s_%d", definitionName(e), n)
	}
	g.definitions[name] = made
	return reference(name)
}

func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// keys describes the fixed keys of an element. They count for mappings only.
func (g *generator) keys(e *elements.Element) object {
	properties := object{}
	required := []string{}
	for _, k := range e.Keys {
		properties[k.Name] = g.element(k.Element)
		if k.Required {
			required = append(required, k.Name)
		}
	}
	s := object{"properties": properties, "additionalProperties": false}
	switch {
	case len(required) == 0:
	case len(e.Partial) > 0:
		choices := []any{object{"required": required}}
		for _, key := range e.Partial {
			choices = append(choices, object{"required": []string{key}})
		}
		s["anyOf"] = choices
	default:
		s["required"] = required
	}
	return s
}

// typesOf lists the types of JSON that an element may have. A boolean passes as
// a number, and null as nothing.
func typesOf(e *elements.Element) []string {
	var types []string
	add := func(more ...string) {
		for _, t := range more {
			if !slices.Contains(types, t) {
				types = append(types, t)
			}
		}
	}
	for _, t := range e.Leaf {
		switch t {
		case elements.String:
			add("string")
		case elements.Int:
			add("integer", "boolean")
		case elements.Number:
			add("number", "boolean")
		case elements.Bool:
			add("boolean")
		case elements.List:
			add("array")
		case elements.Dict:
			add("object")
		}
	}
	if len(e.Keys) > 0 || e.Of != nil {
		add("object")
	}
	if e.Items != nil {
		add("array")
	}
	if !e.Required {
		add("null")
	}
	return types
}

func texts(choices []string) []any {
	list := make([]any, len(choices))
	for i, c := range choices {
		list[i] = c
	}
	return list
}

// importWithProperties is an import that gives the plugins in it properties.
func importWithProperties() object {
	return object{
		"type": "object", "minProperties": 1, "maxProperties": 1,
		"additionalProperties": object{"type": []string{"object", "null"}},
	}
}

// callSchema is a call of any function; a second key may say its type.
func callSchema() object {
	names := texts(functions.Names())
	return object{
		"description": "A call of an intrinsic function.",
		"type":        "object", "minProperties": 1, "maxProperties": 2,
		"propertyNames": object{"enum": append(names, "type")},
	}
}

// valueSchema is a value in which functions count: each call has an argument
// that its function takes.
func valueSchema() object {
	var calls []any
	for _, f := range functions.Definitions() {
		about := f.Summary
		for _, form := range f.Forms {
			about += " { " + f.Name + ": " + form + " }"
		}
		calls = append(calls, object{
			"if": object{
				"type": "object", "required": []string{f.Name}, "propertyNames": object{"enum": []string{f.Name, "type"}},
			},
			"then": object{"properties": object{f.Name: object{
				"description": about, "anyOf": []any{f.Argument, reference(callName)},
			}}},
		})
	}
	return object{
		"description": "A value, perhaps with calls of intrinsic functions in it.",
		"allOf":       calls, "items": reference(valueName), "additionalProperties": reference(valueName),
	}
}

// constraintSchema is one operator with its argument, perhaps with a message.
func constraintSchema() object {
	properties := object{"error_message": object{
		"type": "string", "description": "Text for a value that does not meet it. Since cloudify_dsl_1_5.",
	}}
	var choices []any
	for _, o := range schema.Operators() {
		properties[o.Name] = object{
			"description": "Takes " + o.Takes + ".", "anyOf": []any{o.Argument, reference(callName)},
		}
		choices = append(choices, object{"required": []string{o.Name}})
	}
	return object{
		"type": "object", "properties": properties, "additionalProperties": false, "anyOf": choices,
	}
}
