package jsonschema

import (
	"strings"

	"windlass/internal/blueprint/elements"
)

// definitionName makes a name of an element's sentence: "A node template."
// becomes node_template.
func definitionName(e *elements.Element) string {
	words := strings.FieldsFunc(strings.ToLower(e.Doc), func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
	if first, _, found := strings.Cut(e.Doc, ":"); found {
		words = strings.FieldsFunc(strings.ToLower(first), func(r rune) bool { return r < 'a' || r > 'z' })
	}
	if len(words) > 1 && (words[0] == "a" || words[0] == "an") {
		words = words[1:]
	}
	return strings.Join(words, "_")
}
