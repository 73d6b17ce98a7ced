package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"windlass/internal/value"
)

// noLoader keeps schemas from fetching others: they stand on their own.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a schema must not refer to other documents", url)
}

// checkSchema refuses a secret's value that does not satisfy its JSON schema,
// and a schema that is none.
func checkSchema(schema map[string]any, v any) error {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(value.Encode(schema))))
	if err != nil {
		return badParameter("The schema is not valid: %s", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	compiler.DefaultDraft(jsonschema.Draft7)
	if err := compiler.AddResource("schema.json", doc); err != nil {
		return badParameter("The schema is not valid: %s", err)
	}
	compiled, err := compiler.Compile("schema.json")
	if err != nil {
		return badParameter("The schema is not valid: %s", err)
	}
	var plain any
	dec := json.NewDecoder(strings.NewReader(string(value.Encode(v))))
	dec.UseNumber()
	if err := dec.Decode(&plain); err != nil {
		return err
	}
	err = compiled.Validate(plain)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return fail("conflict_error", "Error validating secret value: %s", invalid.Error())
	}
	return err
}
