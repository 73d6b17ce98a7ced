package execution

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"windlass/internal/blueprint/plan"
	"windlass/internal/value"
)

// Declared is a workflow's name and the parameters it declares.
type Declared struct {
	Workflow   string
	Parameters map[string]plan.Schema
}

// Merge makes a workflow's parameters from those given: it adds the defaults,
// evaluates functions, converts texts to the declared types and checks types,
// constraints and completeness. evaluate and check may be nil: then functions
// stay as they are and constraints hold. Neither argument is changed.
func (d Declared) Merge(given map[string]any, allowCustom bool,
	evaluate func(map[string]any) (map[string]any, error),
	check func(name string, s plan.Schema, v any) error,
) (map[string]any, error) {
	if err := d.refuseUndeclared(given, allowCustom); err != nil {
		return nil, err
	}
	merged := map[string]any{}
	for name, s := range d.Parameters {
		if s.HasDefault() {
			merged[name] = value.Copy(s.Default.V)
		}
	}
	for name, v := range given {
		merged[name] = value.Copy(v)
	}
	if evaluate != nil {
		evaluated, err := evaluate(merged)
		if err != nil {
			return nil, refuse(CodeFunctions, "%s", err)
		}
		merged = evaluated
	}
	if err := d.convert(merged, given); err != nil {
		return nil, err
	}
	if err := d.checkConstraints(merged, check); err != nil {
		return nil, err
	}
	return merged, d.refuseMissing(merged)
}

func (d Declared) refuseUndeclared(given map[string]any, allowCustom bool) error {
	var unknown []string
	for _, name := range value.SortedKeys(given) {
		if _, ok := d.Parameters[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	if allowCustom || len(unknown) == 0 {
		return nil
	}
	return refuse(CodeParameters, "Workflow \"%s\" does not have the following parameters declared: %s. "+
		"Remove these parameters or use the flag for allowing custom parameters", d.Workflow, strings.Join(unknown, ","))
}

func (d Declared) convert(merged, given map[string]any) error {
	var wrong []string
	for _, name := range value.SortedKeys(merged) {
		s, declared := d.Parameters[name]
		if !declared || s.TypeName() == "" {
			continue
		}
		if _, ok := given[name]; merged[name] == nil && (!ok || !s.IsRequired() || s.HasDefault()) {
			continue // null as "nothing" fits every type
		}
		v, ok := convertTo(merged[name], s.TypeName(), s.ItemType)
		if !ok {
			wrong = append(wrong, fmt.Sprintf("Parameter \"%s\" must be of type %s", name, typeText(s)))
			continue
		}
		merged[name] = v
	}
	if len(wrong) > 0 {
		return refuse(CodeParameters, "%s", strings.Join(wrong, "\n"))
	}
	return nil
}

func typeText(s plan.Schema) string {
	if s.TypeName() == "list" && s.ItemType != nil {
		return fmt.Sprintf("list of %ss", *s.ItemType)
	}
	return s.TypeName()
}

func (d Declared) checkConstraints(merged map[string]any, check func(string, plan.Schema, any) error) error {
	if check == nil {
		return nil
	}
	var broken []string
	for _, name := range value.SortedKeys(merged) {
		s, declared := d.Parameters[name]
		if !declared || merged[name] == nil {
			continue
		}
		if err := check(name, s, merged[name]); err != nil {
			broken = append(broken, fmt.Sprintf("Parameter \"%s\" does not meet its constraints: %s", name, err))
		}
	}
	if len(broken) > 0 {
		return refuse(CodeParameters, "%s", strings.Join(broken, "\n"))
	}
	return nil
}

func (d Declared) refuseMissing(merged map[string]any) error {
	var missing []string
	for _, name := range value.SortedKeys(d.Parameters) {
		if _, ok := merged[name]; !ok && d.Parameters[name].IsRequired() {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return refuse(CodeParameters, "Workflow \"%s\" must be provided with the following parameters to execute: %s",
		d.Workflow, strings.Join(missing, ","))
}

// convertTo makes v a value of the named type where that loses nothing, as
// texts from a command line need. Types that are not built in take any value.
func convertTo(v any, typeName string, itemType *string) (any, bool) {
	switch typeName {
	case "integer":
		return toInteger(v)
	case "float":
		return toFloat(v)
	case "boolean":
		return toBoolean(v)
	case "string":
		_, ok := v.(string)
		return v, ok
	case "list":
		return toList(v, itemType)
	}
	return v, true
}

func toInteger(v any) (any, bool) {
	switch v := v.(type) {
	case int64, *big.Int:
		return v, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), true
		}
	case string:
		text := strings.TrimSpace(v)
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, true
		}
		if n, ok := new(big.Int).SetString(text, 10); ok {
			return n, true
		}
	}
	return nil, false
}

func toFloat(v any) (any, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil
	}
	return nil, false
}

func toBoolean(v any) (any, bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		switch strings.ToLower(v) {
		case "true":
			return true, true
		case "false":
			return false, true
		}
	}
	return nil, false
}

func toList(v any, itemType *string) (any, bool) {
	list, ok := v.([]any)
	if !ok || itemType == nil {
		return v, ok
	}
	converted := make([]any, len(list))
	for i, item := range list {
		if converted[i], ok = convertTo(item, *itemType, nil); !ok {
			return nil, false
		}
	}
	return converted, true
}
