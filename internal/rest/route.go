package rest

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// prefix is where the API lives; the older versions lead to it too.
const prefix = "/api/v3.1"

var olderVersions = []string{"/api/v1/", "/api/v2/", "/api/v2.1/", "/api/v3/"}

// scope says what a route needs besides its permission.
type scope int

const (
	inTenant  scope = iota // a caller and a tenant
	anyTenant              // a caller; a tenant only if the header is there
	open                   // nobody
)

// param is a member of a query string, a body or an answer.
type param struct {
	name     string
	kind     kind
	required bool
}

// result says what a route answers with.
type result struct {
	status  int
	shape   string // of the object; "" for an object without one
	isList  bool   // an envelope of such objects
	content string // "" for JSON
}

// route is one line of the table: everything that is known of a call.
type route struct {
	method     string
	path       string // below prefix, or whole if it starts with /api or /resources
	permission string // "": every caller may
	scope      scope
	summary    string
	query      []param
	body       []param // nil: no JSON body is read
	raw        bool    // the body is a file
	result     result
	handle     func(w http.ResponseWriter, r *request) error

	flags []string // names in query, which are no filters
}

func (rt *route) pattern() string {
	if strings.HasPrefix(rt.path, "/api/") || strings.HasPrefix(rt.path, "/resources/") {
		return rt.path
	}
	return prefix + rt.path
}

// fields reads a compact list of parameters: "name*:string size:integer"; the
// star marks required ones.
func fields(spec string) []param {
	ps := []param{}
	for _, word := range strings.Fields(spec) {
		name, k, _ := strings.Cut(word, ":")
		name, required := strings.CutSuffix(name, "*")
		if k == "" {
			k = string(text)
		}
		ps = append(ps, param{name: name, kind: kind(k), required: required})
	}
	return ps
}

// listQuery are the standard parameters of lists, with others before them.
func listQuery(more string) []param {
	return append(fields(more), fields(`_size:integer _offset:integer _after _sort _include _search _all_tenants:boolean
		_get_all_results:boolean _get_data:boolean`)...)
}

// objectQuery are the standard parameters of single objects, with others before them.
func objectQuery(more string) []param {
	return append(fields(more), fields(`_include _get_data:boolean`)...)
}

func one(shape string) result               { return result{status: http.StatusOK, shape: shape} }
func created(shape string) result           { return result{status: http.StatusCreated, shape: shape} }
func listOf(shape string) result            { return result{status: http.StatusOK, shape: shape, isList: true} }
func nothing() result                       { return result{status: http.StatusNoContent} }
func file() result                          { return result{status: http.StatusOK, content: "application/octet-stream"} }
func stream(contentType string) result      { return result{status: http.StatusOK, content: contentType} }
func (rt *route) writesNothing() bool       { return rt.result.status == http.StatusNoContent }
func done(w http.ResponseWriter) error      { w.WriteHeader(http.StatusNoContent); return nil }
func ok(w http.ResponseWriter, v any) error { writeJSON(w, http.StatusOK, v); return nil }

// handler registers the table.
func (s *server) handler() (h http.Handler, err error) {
	mux := http.NewServeMux()
	defer func() { // the mux panics on patterns that contradict each other
		if p := recover(); p != nil {
			h, err = nil, fmt.Errorf("register the routes: %v", p)
		}
	}()
	for i := range s.table {
		rt := &s.table[i]
		for _, p := range rt.query {
			rt.flags = append(rt.flags, p.name)
		}
		for _, path := range rt.patterns() {
			mux.Handle(rt.method+" "+path, s.serve(rt))
		}
	}
	return s.outermost(mux), nil
}

// patterns are the paths of the route: /api/version is there versioned, too.
func (rt *route) patterns() []string {
	if rt.path == "/api/version" {
		return []string{rt.path, prefix + "/version"}
	}
	return []string{rt.pattern()}
}

// serve answers one route.
func (s *server) serve(rt *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := s.admit(w, r, rt)
		if err == nil && req.caller != nil {
			err = s.checkMaintenance(req)
		}
		if err == nil && rt.body != nil {
			err = s.readBody(w, req)
		}
		if err == nil {
			err = rt.handle(w, req)
		}
		if err != nil {
			s.writeError(w, r, err)
		}
	})
}

// outermost maps older versions of the API, refuses what a page of another
// site makes a browser send, and turns a panic in a handler into an answer.
func (s *server) outermost(next http.Handler) http.Handler {
	sites := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept := &keeper{ResponseWriter: w}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // that of a download before on this connection
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.log.ErrorContext(r.Context(), "handler panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			if kept.started {
				panic(http.ErrAbortHandler) // the answer is half out: break it off
			}
			writeJSON(kept, http.StatusInternalServerError, object{
				"message":          fmt.Sprintf("Internal error occurred in manager REST server - %v", p),
				"error_code":       "internal_server_error",
				"server_traceback": nil,
			})
		}()
		kept.Header().Set("X-Content-Type-Options", "nosniff")
		if err := sites.Check(r); err != nil {
			s.writeError(kept, r, fail("forbidden_error", "The request comes from a page of another site: %s", err))
			return
		}
		if i := slices.IndexFunc(olderVersions, func(v string) bool { return strings.HasPrefix(r.URL.Path, v) }); i >= 0 {
			clone := r.Clone(r.Context())
			clone.URL.Path = prefix + "/" + strings.TrimPrefix(r.URL.Path, olderVersions[i])
			clone.URL.RawPath = ""
			r = clone
		}
		next.ServeHTTP(kept, r)
	})
}

// keeper remembers whether an answer was begun.
type keeper struct {
	http.ResponseWriter
	started bool
}

func (k *keeper) WriteHeader(status int) {
	k.started = true
	k.ResponseWriter.WriteHeader(status)
}

func (k *keeper) Write(b []byte) (int, error) {
	k.started = true
	return k.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach flushing and deadlines.
func (k *keeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }
