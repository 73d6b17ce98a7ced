package functions

import (
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// getSecret is get_secret: a secret, or a part of one that holds JSON.
type getSecret struct {
	runtime
	unvalidated
}

func (getSecret) describe() Definition {
	return Definition{
		Summary:  "The text of a secret, or a part of a secret that holds JSON.",
		Forms:    []string{"name", "[name, key or index, ...]"},
		Argument: oneOf(schemaText(), schemaSteps(2)),
	}
}

func (getSecret) check(c call) *problem.Problem {
	switch t := c.args.(type) {
	case string:
		return nil
	case []any:
		if len(t) > 1 {
			return nil
		}
	}
	if Is(c.args) {
		return nil
	}
	return invalid(c, "`get_secret` function argument should be a list with at least 2 elements, a string, or a dict "+
		"(a function). Instead it is a %s with the value: %s.", value.TypeName(c.args), value.Text(c.args))
}

// secretName gives the name in the argument of get_secret, "" if it is not
// known yet.
func secretName(args any) string {
	if list, ok := args.([]any); ok {
		args = list[0]
	}
	name, _ := args.(string)
	return name
}

func (getSecret) evaluate(e *evaluator, c call, at place) (any, error) {
	name := secretName(c.args)
	if name == "" {
		return nil, unable(c, "the name of the secret should be a string, but it is: %s", value.Text(c.args))
	}
	text, err := e.state.Secret(e.ctx, name)
	if err != nil {
		return nil, err
	}
	list, ok := c.args.([]any)
	if !ok {
		return text, nil
	}
	secret, err := value.Decode([]byte(text))
	if err != nil { // the decoder's own words could show what the secret holds
		return nil, unable(c, "Could not parse secret %q as json.", name)
	}
	v, _, g, _ := descend(secret, list[1:], plainly)
	if g != nil {
		return nil, unable(c, "Could not find %q in nested lookup on secret %q.", value.Text(list[g.step+1]), name)
	}
	return v, nil
}
