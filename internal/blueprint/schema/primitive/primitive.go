// Package primitive knows the types that are built into the blueprint
// language: their names, and which values each of them accepts.
package primitive

import (
	"math/big"
)

// Names of the built-in types that other code asks for.
const (
	String   = "string"
	Integer  = "integer"
	Float    = "float"
	Boolean  = "boolean"
	List     = "list"
	Dict     = "dict"
	Regex    = "regex"
	Textarea = "textarea"
)

// Names returns every built-in type name, plain types first.
func Names() []string {
	return append([]string{String, Integer, Float, Boolean, List, Dict, Regex, Textarea}, ObjectNames()...)
}

// ObjectNames returns the built-in types whose values name an object of the
// manager, such as a blueprint or a node.
func ObjectNames() []string {
	return []string{
		"blueprint_id", "deployment_id", "capability_value", "scaling_group", "node_id",
		"node_type", "node_instance", "secret_key", "operation_name",
	}
}

// Is tells whether name is a built-in type.
func Is(name string) bool {
	switch name {
	case String, Integer, Float, Boolean, List, Dict, Regex, Textarea:
		return true
	}
	return IsObject(name)
}

// IsObject tells whether name is a built-in type whose values name objects.
func IsObject(name string) bool {
	switch name {
	case "blueprint_id", "deployment_id", "capability_value", "scaling_group", "node_id",
		"node_type", "node_instance", "secret_key", "operation_name":
		return true
	}
	return false
}

// Accepts tells whether v is a value of the built-in type. string, textarea
// and the object types accept everything: existing blueprints rely on that.
// A name that is not built in accepts nothing.
func Accepts(name string, v any) bool {
	switch name {
	case Integer:
		return isInteger(v)
	case Float:
		return IsNumber(v)
	case Boolean:
		_, ok := v.(bool)
		return ok
	case List:
		_, ok := v.([]any)
		return ok
	case Dict:
		_, ok := v.(map[string]any)
		return ok
	case Regex:
		text, ok := v.(string)
		if !ok {
			return false
		}
		_, err := CompilePattern(text)
		return err == nil
	}
	return Is(name)
}

// IsNumber tells whether v is a number; booleans are none.
func IsNumber(v any) bool {
	if _, ok := v.(float64); ok {
		return true
	}
	return isInteger(v)
}

func isInteger(v any) bool {
	switch v.(type) {
	case int64, *big.Int:
		return true
	}
	return false
}
