package rest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestBodies(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(c *Config) { c.MaxBody = 1000 })
	a.deployment("d1")
	start := func(body any, header map[string]string) answered {
		return a.do(ask{method: "POST", path: "/executions", body: body, header: header})
	}
	good := object{"deployment_id": "d1", "workflow_id": "install", "parameters": nil, "force": "False", "queue": "true", "dry_run": true}
	start(good, nil).is(http.StatusCreated)
	if got := a.rooms.starts[0]; got.Force || !got.Queue || !got.DryRun || got.AllowCustomParameters || got.CreatedBy != "admin" {
		t.Errorf("started with %+v", got)
	}
	start(good, map[string]string{"Content-Type": "text/plain"}).refused("unsupported_content_type_error", "Content type must be application/json")
	start("{", nil).refused("bad_parameters_error", "not a JSON object")
	start("[]", nil).refused("bad_parameters_error", "not a JSON object")
	start(object{"deployment_id": "d1"}, nil).refused("bad_parameters_error", "Missing workflow_id in json request body")
	start(object{"deployment_id": 1, "workflow_id": "w"}, nil).refused("bad_parameters_error", "deployment_id parameter is expected to be of type str but is of type int")
	start(object{"deployment_id": "d1", "workflow_id": "w", "force": "maybe"}, nil).refused("bad_parameters_error", "force must be <true/false>, got maybe")
	start(object{"deployment_id": "d1", "workflow_id": "w", "parameters": "p"}, nil).refused("bad_parameters_error", "type dict but is of type str")
	start(object{"deployment_id": "d1", "workflow_id": "missing"}, nil).refused("nonexistent_workflow_error", "Workflow missing does not exist")
	start(object{"deployment_id": "nope", "workflow_id": "w"}, nil).refused("not_found_error", "Requested `Deployment` with ID `nope` was not found")
	start(object{"deployment_id": "d1", "workflow_id": strings.Repeat("w", 2000)}, nil).refused("request_too_large_error", "1000 bytes")
}

func TestUnknownRoutes(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.get("/nonsense").is(http.StatusNotFound)
	a.do(ask{method: "PUT", path: "/status"}).is(http.StatusMethodNotAllowed)
	for _, v := range []string{"v1", "v2", "v2.1", "v3", "v3.1"} {
		a.get("/api/" + v + "/status").is(http.StatusOK)
	}
	a.get("/api/v4/status").is(http.StatusNotFound)
	if v := a.get("/api/version").is(http.StatusOK).object()["version"]; v != "7.0.5" {
		t.Errorf("plugins that need the original's version see %v", v)
	}
	a.get("/api/v3.1/version").is(http.StatusOK)
}

// TestOtherSites: a browser that keeps the password must not act for a page
// of another site.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	post := func(header map[string]string) answered {
		return a.do(ask{method: "POST", path: "/users/unlock/admin", header: header})
	}
	post(nil).is(http.StatusOK)
	post(map[string]string{"Sec-Fetch-Site": "same-origin"}).is(http.StatusOK)
	post(map[string]string{"Sec-Fetch-Site": "cross-site"}).refused("forbidden_error", "another site")
	post(map[string]string{"Origin": "https://elsewhere.example"}).refused("forbidden_error", "another site")
	a.do(ask{method: "GET", path: "/status", header: map[string]string{"Sec-Fetch-Site": "cross-site"}}).is(http.StatusOK)
}

// TestPanicBecomes500 and is logged with its stack, and the server goes on.
func TestPanicBecomes500(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	h := a.server.outermost(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), "GET", "/api/v3.1/status", nil))
	answered{t: t, status: w.Code, body: w.Body.Bytes()}.refused("internal_server_error", "oops")
}
