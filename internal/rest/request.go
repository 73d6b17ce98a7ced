package rest

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"windlass/internal/access"
	"windlass/internal/store"
	"windlass/internal/value"
)

// request is an HTTP request that was authenticated and authorised.
type request struct {
	*http.Request
	route  *route
	caller *access.Caller // nil on open routes
	tenant string         // of the header; "" if none was given
	query  url.Values
	body   map[string]any // the JSON body, checked against the route; nil if the route takes none
}

// Headers of the wire.
const (
	headerTenant         = "Tenant"
	headerExecutionToken = "Execution-Token"
	headerToken          = "Authentication-Token"
)

// authenticate finds out who calls: by execution token, password or API token,
// in this order.
func (s *server) authenticate(r *http.Request) (*access.Caller, error) {
	ctx := r.Context()
	if t := r.Header.Get(headerExecutionToken); t != "" {
		return s.Access.ExecutionToken(ctx, t, true)
	}
	token := r.Header.Get(headerToken)
	if token != "" && !strings.HasPrefix(token, "ctok-") {
		if c, err := s.Access.ExecutionToken(ctx, token, false); c != nil || err != nil {
			return c, err
		}
	}
	if user, password, ok := basicAuth(r); ok {
		return s.Access.Login(ctx, user, password)
	}
	if token != "" {
		return s.Access.Token(ctx, token)
	}
	return nil, &access.Error{Code: access.Unauthorized, Message: "User unauthorized: No authentication info provided"}
}

// basicAuth reads the Authorization header. Names that don't start with a
// letter are none of ours.
func basicAuth(r *http.Request) (user, password string, ok bool) {
	scheme, rest, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil {
		return "", "", false
	}
	user, password, ok = strings.Cut(string(raw), ":")
	if !ok || user == "" || !(user[0]|0x20 >= 'a' && user[0]|0x20 <= 'z') {
		return "", "", false
	}
	return user, password, true
}

// admit makes a request of r: who calls, in which tenant, and whether that may be.
func (s *server) admit(w http.ResponseWriter, r *http.Request, rt *route) (*request, error) {
	req := &request{Request: r, route: rt, query: r.URL.Query()}
	if rt.scope == open {
		return req, nil
	}
	caller, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	req.caller = caller
	h := w.Header()
	h.Set("X-Cloudify-Audit-Auth-Method", string(caller.Method))
	h.Set("X-Cloudify-Audit-Username", caller.Username)
	if name := r.Header.Get(headerTenant); name != "" {
		if _, err := s.Access.FindTenant(r.Context(), name); err != nil {
			return nil, err
		}
		req.tenant = name
		h.Set("X-Cloudify-Audit-Tenant", name)
	} else if rt.scope == inTenant {
		return nil, fail("forbidden_error", "Authorization failed: tenant not provided")
	}
	if rt.permission != "" {
		if err := caller.Check(req.tenant, rt.permission); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// readBody reads and checks the JSON body that the route takes.
func (s *server) readBody(w http.ResponseWriter, r *request) error {
	data, err := io.ReadAll(s.incoming(w, r.Request, s.MaxBody))
	if err != nil {
		return readError(err)
	}
	if len(data) > 0 {
		if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
			return fail("unsupported_content_type_error", "Content type must be application/json")
		}
	}
	r.body, err = value.DecodeMap(data)
	if err != nil {
		return badParameter("The request body is not a JSON object: %s", err)
	}
	return checkBody(r.body, r.route.body)
}

// checkBody checks the members that the route declares. Booleans may come as
// text and are put right; null stands for absent, and is removed, where the
// member is not required.
func checkBody(body map[string]any, declared []param) error {
	for _, p := range declared {
		v, present := body[p.name]
		switch {
		case !present && p.required:
			return badParameter("Missing %s in json request body", p.name)
		case !present:
		case v == nil && !p.required:
			delete(body, p.name)
		case p.kind == boolean:
			b, err := parseBool(p.name, v)
			if err != nil {
				return err
			}
			body[p.name] = b
		case !p.kind.fits(v):
			return wrongType(p.name, p.kind, v)
		}
	}
	return nil
}

// incoming is the request's body, no longer than limit, from a client that
// never pauses for longer than Patience.
func (s *server) incoming(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
	return &patientReader{
		r: http.MaxBytesReader(w, r.Body, limit), rc: http.NewResponseController(w), patience: s.Patience,
	}
}

type patientReader struct {
	r        io.Reader
	rc       *http.ResponseController
	patience time.Duration
}

func (p *patientReader) Read(b []byte) (int, error) {
	_ = p.rc.SetReadDeadline(time.Now().Add(p.patience)) // not all writers have deadlines
	n, err := p.r.Read(b)
	if err != nil { // the deadline must not outlive the body: it would end the request
		_ = p.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}

func readError(err error) error {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return err
	}
	return badParameter("The request body could not be read: %s", err)
}

// The body's members; absent ones give zero values.

func (r *request) has(name string) bool { _, ok := r.body[name]; return ok }

func (r *request) str(name string) string { s, _ := r.body[name].(string); return s }

func (r *request) flag(name string) bool { b, _ := r.body[name].(bool); return b }

func (r *request) num(name string) int { n, _ := r.body[name].(int64); return int(n) }

func (r *request) dict(name string) map[string]any { m, _ := r.body[name].(map[string]any); return m }

func (r *request) list(name string) []any { l, _ := r.body[name].([]any); return l }

// queryFlag reads a boolean of the query string.
func (r *request) queryFlag(name string, otherwise bool) (bool, error) {
	v := r.query.Get(name)
	if v == "" {
		return otherwise, nil
	}
	return parseBool(name, v)
}

// queryFlags reads booleans of the query string that default to false.
func (r *request) queryFlags(names ...string) (map[string]bool, error) {
	flags := make(map[string]bool, len(names))
	for _, n := range names {
		v, err := r.queryFlag(n, false)
		if err != nil {
			return nil, err
		}
		flags[n] = v
	}
	return flags, nil
}

// actsFor is the execution whose token made the request, "" if none.
func (r *request) actsFor() string {
	if r.caller == nil || r.caller.Execution == nil {
		return ""
	}
	return r.caller.Execution.ID
}

// need refuses what goes beyond the route's own permission.
func (r *request) need(permission string) error { return r.caller.Check(r.tenant, permission) }

// sees refuses a record that the caller must not know of.
func (r *request) sees(o store.Owned, model, id string) error {
	if r.caller.Sees(r.tenant, o) {
		return nil
	}
	return notFound(model, id)
}

// patient derives the context of a call that waits for something to end.
func (s *server) patient(r *request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), s.CreateWait)
}
