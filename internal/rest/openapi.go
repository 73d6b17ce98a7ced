package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// describe makes the OpenAPI document from the route table and the shapes.
func (s *server) describe() ([]byte, error) {
	schemas := object{"Error": schemaOf(fields("message*:string error_code*:string server_traceback:string"))}
	known := shapes()
	for name, ps := range known {
		schemas[name] = schemaOf(ps)
	}
	paths := map[string]object{}
	for i := range s.table {
		rt := &s.table[i]
		if rt.result.shape != "" && known[rt.result.shape] == nil {
			return nil, fmt.Errorf("route %s %s answers with the shape %s, which there is not", rt.method, rt.path, rt.result.shape)
		}
		path := openPath(rt.pattern())
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path][strings.ToLower(rt.method)] = rt.describe()
	}
	return json.Marshal(object{
		"openapi": "3.0.3",
		"info": object{
			"title": "Windlass REST API", "version": "3.1",
			"description": "Blueprints, deployments and their executions. Compatible with Cloudify Manager's API v3.1.",
		},
		"paths": paths,
		"components": object{
			"schemas": schemas,
			"securitySchemes": object{
				"basic": object{"type": "http", "scheme": "basic"},
				"token": object{"type": "apiKey", "in": "header", "name": headerToken},
			},
		},
		"security": []any{object{"basic": []any{}}, object{"token": []any{}}},
	})
}

// openPath turns a pattern into OpenAPI's form: {path...} into {path}.
func openPath(pattern string) string { return strings.ReplaceAll(pattern, "...}", "}") }

func (rt *route) describe() object {
	op := object{
		"summary": rt.summary, "operationId": rt.operationID(), "tags": []any{rt.tag()},
		"responses": object{strconv.Itoa(rt.result.status): rt.answer(), "default": object{
			"description": "an error", "content": jsonContent(object{"$ref": "#/components/schemas/Error"}),
		}},
	}
	if params := rt.parameters(); len(params) > 0 {
		op["parameters"] = params
	}
	if rt.scope == open {
		op["security"] = []any{}
	}
	if rt.permission != "" {
		op["x-permission"] = rt.permission
	}
	switch {
	case rt.raw:
		op["requestBody"] = object{"content": object{"application/octet-stream": object{"schema": object{"type": "string", "format": "binary"}}}}
	case len(rt.body) > 0:
		op["requestBody"] = object{"content": jsonContent(schemaOf(rt.body))}
	}
	return op
}

// operationID names the operation by method and path: get_deployments_id.
func (rt *route) operationID() string {
	clean := strings.NewReplacer("{", "", "}", "", "...", "", "-", "_", ".", "_").Replace(strings.Trim(rt.path, "/"))
	return strings.ToLower(rt.method) + "_" + strings.ReplaceAll(clean, "/", "_")
}

func (rt *route) tag() string {
	first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(rt.path, "/api"), "/"), "/")
	return first
}

func (rt *route) parameters() []any {
	var out []any
	for rest := rt.path; ; {
		_, after, found := strings.Cut(rest, "{")
		if !found {
			break
		}
		name, tail, _ := strings.Cut(after, "}")
		out = append(out, object{"name": strings.TrimSuffix(name, "..."), "in": "path", "required": true, "schema": object{"type": "string"}})
		rest = tail
	}
	for _, p := range rt.query {
		out = append(out, object{"name": p.name, "in": "query", "required": p.required, "schema": typeOf(p.kind)})
	}
	if rt.scope == inTenant {
		out = append(out, object{"name": headerTenant, "in": "header", "required": true, "schema": object{"type": "string"}})
	}
	return out
}

func (rt *route) answer() object {
	a := object{"description": http.StatusText(rt.result.status)}
	schema := object{}
	if rt.result.shape != "" {
		schema = object{"$ref": "#/components/schemas/" + rt.result.shape}
	}
	switch {
	case rt.writesNothing():
	case rt.result.content != "":
		a["content"] = object{rt.result.content: object{"schema": object{"type": "string"}}}
	case rt.result.isList:
		a["content"] = jsonContent(object{"type": "object", "required": []any{"items", "metadata"}, "properties": object{
			"items": object{"type": "array", "items": schema}, "metadata": object{"type": "object"},
		}})
	default:
		a["content"] = jsonContent(schema)
	}
	return a
}

func jsonContent(schema object) object {
	return object{"application/json": object{"schema": schema}}
}

func schemaOf(ps []param) object {
	props := object{}
	var required []any
	for _, p := range ps {
		t := typeOf(p.kind)
		if !p.required {
			t["nullable"] = true
		}
		props[p.name] = t
		if p.required {
			required = append(required, p.name)
		}
	}
	s := object{"type": "object", "properties": props}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func typeOf(k kind) object {
	switch k {
	case any_:
		return object{}
	case moment:
		return object{"type": "string", "format": "date-time"}
	case list:
		return object{"type": "array", "items": object{}}
	}
	return object{"type": string(k)}
}

func (s *server) getOpenAPI(w http.ResponseWriter, _ *request) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(s.openapi)
	return err
}
