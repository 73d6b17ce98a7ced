package functions

// The JSON Schemas that describe arguments to editors.

type fragment = map[string]any

func oneOf(choices ...fragment) fragment {
	list := make([]any, len(choices))
	for i, c := range choices {
		list[i] = c
	}
	return fragment{"anyOf": list}
}

func schemaName() fragment { return fragment{"type": "string"} }

// schemaCall is a call of any function.
func schemaCall() fragment {
	return fragment{"type": "object", "minProperties": int64(1), "maxProperties": int64(2)}
}

// schemaStep is one name, key, index or function.
func schemaStep() fragment {
	return oneOf(fragment{"type": "string"}, fragment{"type": "integer"}, schemaCall())
}

func schemaText() fragment { return oneOf(schemaName(), schemaCall()) }

func schemaSteps(least int) fragment {
	return fragment{"type": "array", "minItems": int64(least), "items": schemaStep()}
}

// schemaTuple is a list of exactly these items, the last optional ones of which
// may be left out.
func schemaTuple(least int, items ...fragment) fragment {
	list := make([]any, len(items))
	for i, it := range items {
		list[i] = it
	}
	return fragment{"type": "array", "minItems": int64(least), "maxItems": int64(len(items)), "prefixItems": list}
}

func schemaList(item fragment) fragment { return fragment{"type": "array", "items": item} }

func schemaEnum(values ...string) fragment {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	return fragment{"enum": list}
}
