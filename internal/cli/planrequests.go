package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/imports"
	"windlass/internal/blueprint/problem"
	"windlass/internal/preparation"
	"windlass/internal/topology"
	"windlass/internal/value"
)

// answerPlanRequests answers each line of in, a JSON object, with one line.
// Nothing is kept from one request to the next.
func answerPlanRequests(ctx context.Context, in io.Reader, out io.Writer) error {
	lines, answers := bufio.NewReader(in), bufio.NewWriter(out)
	for ctx.Err() == nil {
		line, err := lines.ReadBytes('\n')
		if len(trimmed(line)) > 0 {
			answers.Write(value.Encode(answerPlanRequest(ctx, line)))
			answers.WriteByte('\n')
			if err := answers.Flush(); err != nil {
				return fmt.Errorf("write the answer: %w", err)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
	}
	return context.Cause(ctx)
}

func trimmed(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r' || line[len(line)-1] == ' ') {
		line = line[:len(line)-1]
	}
	return line
}

func answerPlanRequest(ctx context.Context, line []byte) object {
	request, err := value.DecodeMap(line)
	if err != nil {
		return object{"id": nil, "error": planError(badRequest{fmt.Errorf("the request is not a JSON object: %w", err)})}
	}
	answer := object{"id": request["id"]}
	result, err := guarded(ctx, request)
	if err != nil {
		answer["error"] = planError(err)
	} else {
		answer["result"] = result
	}
	return answer
}

// guarded answers a request; a defect of this program that it meets is an
// error of that request alone.
func guarded(ctx context.Context, request object) (result any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = problem.New(problem.Runtime, "internal error: %v; please report it with the request", r)
		}
	}()
	return planOperation(ctx, request)
}

// badRequest is a request that makes no sense.
type badRequest struct{ error }

func planOperation(ctx context.Context, request object) (any, error) {
	switch op := request["op"]; op {
	case "plan":
		return planOf(ctx, request)
	case "deploy":
		var r preparation.DeployRequest
		if err := fill(request, &r); err != nil {
			return nil, err
		}
		if r.Plan == nil {
			return nil, badRequest{errors.New("plan is missing")}
		}
		d, err := preparation.HandleDeploy(r, randomIDs())
		return planResult(d, err)
	case "expand":
		var r preparation.ExpandRequest
		if err := fill(request, &r); err != nil {
			return nil, err
		}
		list, err := preparation.HandleExpand(r, randomIDs())
		return planResult[any](list, err)
	case "modify":
		var r preparation.ModifyRequest
		if err := fill(request, &r); err != nil {
			return nil, err
		}
		changes, err := preparation.HandleModify(r, randomIDs())
		return planResult[any](changes, err)
	case "evaluate":
		var r preparation.EvaluateRequest
		if err := fill(request, &r); err != nil {
			return nil, err
		}
		return preparation.HandleEvaluate(ctx, r)
	default:
		return nil, badRequest{fmt.Errorf("op must be plan, deploy, expand, modify or evaluate, not %s", value.Repr(op))}
	}
}

func fill(request object, r any) error {
	if err := value.Into(request, r); err != nil {
		return badRequest{err}
	}
	return nil
}

// planRequest asks for the plan of a blueprint.
type planRequest struct {
	YAML       *string      `json:"yaml"`
	Path       string       `json:"path"`
	Base       string       `json:"resources_base_path"`
	Additional []string     `json:"additional_resources"`
	Rules      [][2]string  `json:"import_rules"`
	Fallback   *bool        `json:"import_rules_fallback"`
	Imports    givenImports `json:"imports"`
	Version    *bool        `json:"validate_version"`
	Functions  *bool        `json:"validate_functions"`
	Defaults   *bool        `json:"validate_input_defaults"`
}

// givenImports are the texts of imports, by import.
type givenImports map[string]struct {
	YAML string `json:"yaml"`
	Path string `json:"path"`
}

func (g givenImports) texts() map[string]imports.Text {
	texts := make(map[string]imports.Text, len(g))
	for name, i := range g {
		texts[name] = imports.Text{Text: []byte(i.YAML), Location: i.Path}
	}
	return texts
}

func planOf(ctx context.Context, request object) (any, error) {
	var r planRequest
	if err := fill(request, &r); err != nil {
		return nil, err
	}
	source := blueprint.Source{Path: r.Path}
	switch {
	case r.YAML != nil:
		source.Text = []byte(*r.YAML)
	case r.Path == "":
		return nil, badRequest{errors.New("give the blueprint as yaml, or its file as path")}
	}
	isFalse := func(b *bool) bool { return b != nil && !*b }
	opts := blueprint.Options{
		Rules: imports.Rules{NoFallback: isFalse(r.Fallback)}, Imports: r.Imports.texts(), ResourcesBase: r.Base, AdditionalResources: r.Additional,
		NoVersionCheck: isFalse(r.Version), NoFunctionCheck: isFalse(r.Functions), NoInputDefaultCheck: isFalse(r.Defaults),
	}
	for _, rule := range r.Rules {
		opts.Rules.List = append(opts.Rules.List, imports.Rule{Prefix: rule[0], Replacement: rule[1]})
	}
	p, _, err := blueprint.Parse(ctx, source, opts)
	return planResult(p, err)
}

// planError is an error as the protocol shows it: of several problems the first.
func planError(err error) object {
	p := problem.All(err).First()
	if p == nil {
		p = problem.New(problem.BadValue, "%v", err)
		if bad := (badRequest{}); !errors.As(err, &bad) {
			p.Kind = problem.Runtime
		}
	}
	shown := object{"type": string(p.Kind), "code": nil, "message": p.Message, "details": object{}}
	if p.Code != nil {
		shown["code"] = int64(*p.Code)
	}
	if place := p.Place.String(); place != "" {
		shown["message"] = place + ": " + p.Message
	}
	if details, err := value.Of(p.Details); err == nil && details != nil {
		shown["details"] = details
	}
	return shown
}

const idAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

// randomIDs makes the random ends of instance ids.
func randomIDs() topology.IDSource {
	return func() string {
		var id [6]byte
		for i := range id {
			id[i] = idAlphabet[rand.IntN(len(idAlphabet))]
		}
		return string(id[:])
	}
}
