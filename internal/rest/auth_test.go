package rest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"windlass/internal/access"
	"windlass/internal/store"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.get("/status").is(http.StatusOK)
	a.do(ask{method: "GET", path: "/status", user: "-"}).refused("unauthorized_error", "User unauthorized: No authentication info provided")
	a.do(ask{method: "GET", path: "/status", user: "nobody:x"}).refused("unauthorized_error", "No authentication info provided")
	a.do(ask{method: "GET", path: "/status", user: "1st:x"}).refused("unauthorized_error", "No authentication info provided")
	a.do(ask{method: "GET", path: "/status", user: "admin:wrong"}).refused("unauthorized_error",
		"User unauthorized: Authentication failed for <User username=`admin`>. Wrong credentials or locked account")
	a.do(ask{method: "GET", path: "/status", user: "-", header: map[string]string{"Authentication-Token": "abc"}}).
		refused("unauthorized_error", "Invalid token structure")
	a.do(ask{method: "GET", path: "/status", user: "-", header: map[string]string{"Authentication-Token": "ctok-abcdefghij-xyz"}}).
		refused("unauthorized_error", "User unauthorized: Unauthorized")
	a.do(ask{method: "GET", path: "/status", header: map[string]string{"Execution-Token": "abc"}}).
		refused("unauthorized_error", "Authentication failed, invalid Execution Token")
	for _, open := range []string{"/ok", "/snapshot-status", "/openapi.json"} {
		a.do(ask{method: "GET", path: open, user: "-", tenant: "-"}).is(http.StatusOK)
	}
}

func TestTenantHeader(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.do(ask{method: "GET", path: "/blueprints", tenant: "nowhere"}).refused("forbidden_error",
		"Authorization failed: Tried to authenticate with invalid tenant name: nowhere")
	a.do(ask{method: "GET", path: "/blueprints", tenant: "-"}).refused("forbidden_error", "Authorization failed: tenant not provided")
	a.do(ask{method: "GET", path: "/tenants", tenant: "-"}).is(http.StatusOK)
	h := a.get("/blueprints").header
	for name, want := range map[string]string{"Auth-Method": "http_basic", "Tenant": "default_tenant", "Username": "admin"} {
		if got := h.Get("X-Cloudify-Audit-" + name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestAPITokens(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	made := a.do(ask{method: "POST", path: "/tokens", tenant: "-", body: object{"description": "d", "expiration_date": "+10h"}}).is(http.StatusOK).object()
	with := func(token string) answered {
		return a.do(ask{method: "GET", path: "/user", user: "-", header: map[string]string{"Authentication-Token": token}})
	}
	if name := with(made["value"].(string)).is(http.StatusOK).object()["username"]; name != "admin" {
		t.Errorf("the token is %v's", name)
	}
	with(made["value"].(string)+"x").refused("unauthorized_error", "Unauthorized")
	id := made["id"].(string)
	if v := a.get("/tokens/" + id).is(http.StatusOK).object()["value"]; v != "ctok-"+id+"-********" {
		t.Errorf("shown as %v", v)
	}
	a.do(ask{method: "POST", path: "/tokens", body: object{"expiration_date": "soon"}}).refused("bad_parameters_error", "soon")

	// Others neither see nor delete it.
	a.member("ann", access.DefaultTenant, access.TenantUser)
	a.do(ask{method: "GET", path: "/tokens/" + id, user: login("ann")}).refused("not_found_error", "Could not find token")
	a.do(ask{method: "DELETE", path: "/tokens/" + id, user: login("ann")}).refused("not_found_error", "Could not find token")
	if got := a.do(ask{method: "GET", path: "/tokens", user: login("ann")}).items(); len(got) != 0 {
		t.Errorf("ann sees %v", got)
	}
	a.do(ask{method: "DELETE", path: "/tokens/" + id}).is(http.StatusNoContent)
	with(made["value"].(string)).refused("unauthorized_error", "Unauthorized")

	// An expired one is told apart.
	a.write(func(tx store.Tx) error {
		return tx.AddToken(t.Context(), store.Token{ID: "old", Username: "admin", SecretHash: access.HashToken("s"), CreatedAt: started, ExpiresAt: started})
	})
	with("ctok-old-s").refused("unauthorized_error", "Token is expired")
}

func TestExecutionTokens(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.member("ann", access.DefaultTenant, access.TenantUser)
	e := a.execution(store.Execution{Owned: owned("ann"), Status: store.Started, TokenHash: access.HashToken("run-token")})
	for _, header := range []string{"Execution-Token", "Authentication-Token"} {
		q := ask{method: "GET", path: "/user", user: "-", header: map[string]string{header: "run-token"}}
		if name := a.do(q).is(http.StatusOK).object()["username"]; name != "ann" {
			t.Errorf("%s: acts as %v", header, name)
		}
	}
	a.write(func(tx store.Tx) error {
		done, err := tx.LockExecution(t.Context(), e.ID)
		if err != nil {
			return err
		}
		done.Status = store.Terminated
		return tx.UpdateExecution(t.Context(), done)
	})
	a.do(ask{method: "GET", path: "/user", user: "-", header: map[string]string{"Execution-Token": "run-token"}}).
		refused("unauthorized_error", "invalid Execution Token")
}

func TestAccountLock(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.member("ann", access.DefaultTenant, access.TenantUser)
	ask1 := func(password string) answered {
		return a.do(ask{method: "GET", path: "/user", user: "ann:" + password})
	}
	for range 4 {
		ask1("wrong").refused("unauthorized_error", "Wrong credentials")
	}
	ask1("ann-password").is(http.StatusOK) // ends the count
	for range 5 {
		ask1("wrong").refused("unauthorized_error", "Wrong credentials")
	}
	ask1("ann-password").refused("unauthorized_error", "locked account")
	if locked := a.get("/users/ann").object()["is_locked"]; locked != true {
		t.Errorf("is_locked is %v", locked)
	}
	a.do(ask{method: "POST", path: "/users/unlock/ann"}).is(http.StatusOK)
	ask1("ann-password").is(http.StatusOK)
}

// TestMatrix walks the route table with every role: a call is refused for
// want of the permission exactly if the role lacks it.
func TestMatrix(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	roles := map[string]string{access.SysAdmin: "sys_admin_user", "default": "default_user"}
	a.member("sys_admin_user", "", "")
	if _, err := a.access.SetRole(t.Context(), "sys_admin_user", access.SysAdmin); err != nil {
		t.Fatal(err)
	}
	a.member("default_user", "", "")
	for _, role := range []string{access.TenantManager, access.TenantUser, access.TenantOperations, access.TenantViewer} {
		roles[role] = role + "_user"
		a.member(role+"_user", access.DefaultTenant, role)
	}
	for _, rt := range a.server.table {
		if rt.scope == open || rt.permission == "" || strings.HasSuffix(rt.path, "/stream") {
			continue
		}
		path := rt.pattern()
		for _, name := range []string{"id", "name", "key", "kind", "role", "permission", "deployment", "action"} {
			path = strings.ReplaceAll(path, "{"+name+"}", "no-such-thing")
		}
		allowed := access.Allowed(rt.permission)
		for role, user := range roles {
			var body any
			if rt.body != nil {
				body = object{}
			}
			got := a.do(ask{method: rt.method, path: path, user: login(user), body: body})
			may := false
			for _, r := range allowed {
				may = may || r == role || r == "default" // a member's system role is default
			}
			denied := got.status == http.StatusForbidden && strings.Contains(string(got.body), "is not permitted to perform the action "+rt.permission+" ")
			if denied == may {
				t.Errorf("%s %s as %s: status %d %s; permission %s is for %v", rt.method, path, role, got.status, got.body, rt.permission, allowed)
			}
			if got.status == http.StatusInternalServerError {
				t.Errorf("%s %s as %s: %s", rt.method, path, role, got.body)
			}
		}
	}
}

// TestRolesOfOld checks single lines of the table against what the roles are for.
func TestRolesOfOld(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.member("mgr", access.DefaultTenant, access.TenantManager)
	a.member("usr", access.DefaultTenant, access.TenantUser)
	a.member("ops", access.DefaultTenant, access.TenantOperations)
	a.member("viw", access.DefaultTenant, access.TenantViewer)
	a.member("non", "", "")
	a.deployment("d1")
	for _, tt := range []struct {
		method, path string
		body         any
		may          string
	}{
		{"GET", "/version", nil, "mgr usr ops viw non"},
		{"GET", "/blueprints", nil, "mgr usr ops viw"},
		{"GET", "/deployments/d1/outputs", nil, "mgr usr ops viw"},
		{"PATCH", "/deployments/d1", object{"display_name": "x"}, "mgr usr ops"},
		{"POST", "/executions", object{"deployment_id": "d1", "workflow_id": "install"}, "mgr usr ops"},
		{"PUT", "/secrets/k", object{"value": "v", "update_if_exists": true}, "mgr usr"},
		{"PUT", "/config/default_page_size", object{"value": 10}, "mgr"},
		{"POST", "/tokens", object{}, "mgr usr ops viw non"},
		{"GET", "/users", nil, ""},
		{"GET", "/users/usr", nil, "usr"},
		{"POST", "/users/usr", object{"role": "sys_admin"}, ""},
		{"POST", "/tenants/new", object{}, ""},
		{"GET", "/tenants/default_tenant", nil, "mgr usr ops"},
	} {
		for _, name := range []string{"mgr", "usr", "ops", "viw", "non"} {
			got := a.do(ask{method: tt.method, path: tt.path, user: login(name), body: tt.body})
			if may := strings.Contains(tt.may, name); may != (got.status < 300) || !may && got.status != http.StatusForbidden {
				t.Errorf("%s %s as %s: status %d %s", tt.method, tt.path, name, got.status, got.body)
			}
		}
	}
}

func TestVisibility(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	if _, err := a.access.AddTenant(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	a.member("ann", access.DefaultTenant, access.TenantUser)
	a.member("bob", access.DefaultTenant, access.TenantUser)
	a.member("mgr", access.DefaultTenant, access.TenantManager)
	a.member("eve", "other", access.TenantUser)
	put := func(key, visibility, user string) answered {
		return a.do(ask{method: "PUT", path: "/secrets/" + key, user: user, body: object{"value": "v", "visibility": visibility}})
	}
	put("mine", "private", login("ann")).is(http.StatusOK)
	put("ours", "tenant", login("ann")).is(http.StatusOK)
	put("alls", "global", login("ann")).refused("forbidden_error", "is not permitted to set or create a global resource")
	put("alls", "global", "").is(http.StatusOK)
	put("bad", "secret", "").refused("bad_parameters_error", "Invalid visibility: `secret`. Valid visibility's values are: ['private', 'tenant', 'global']")

	for _, tt := range []struct{ user, tenant, want string }{
		{"ann", "", "alls mine ours"}, {"bob", "", "alls ours"}, {"mgr", "", "alls mine ours"}, {"eve", "other", "alls"},
	} {
		got := a.do(ask{method: "GET", path: "/secrets?_sort=key", user: login(tt.user), tenant: tt.tenant}).column("key")
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s sees %v, want %s", tt.user, got, tt.want)
		}
		for _, key := range []string{"mine", "ours", "alls"} {
			r := a.do(ask{method: "GET", path: "/secrets/" + key, user: login(tt.user), tenant: tt.tenant})
			if sees := r.status == http.StatusOK; sees != strings.Contains(tt.want, key) {
				t.Errorf("%s gets %s: %d", tt.user, key, r.status)
			}
		}
	}
	a.do(ask{method: "DELETE", path: "/secrets/alls", user: login("eve"), tenant: "other"}).
		refused("illegal_action_error", "Can't modify the global resource `alls` from outside its tenant `default_tenant`")
	a.do(ask{method: "PATCH", path: "/secrets/alls/set-visibility", body: object{"visibility": "tenant"}}).
		refused("illegal_action_error", "Can't set the visibility of `alls` to tenant because it already has wider visibility")
	a.do(ask{method: "PATCH", path: "/secrets/ours/set-visibility", body: object{"visibility": "private"}}).
		refused("bad_parameters_error", "Invalid visibility: `private`")

	// All tenants means all in which one may list.
	a.do(ask{method: "PUT", path: "/secrets/theirs", tenant: "other", body: object{"value": "v"}}).is(http.StatusOK)
	for user, want := range map[string]string{"admin:admin-password": "alls mine ours theirs", login("bob"): "alls ours"} {
		got := a.do(ask{method: "GET", path: "/secrets?_sort=key&_all_tenants=True", user: user}).column("key")
		if strings.Join(got, " ") != want {
			t.Errorf("%s in all tenants sees %v, want %s", user, got, want)
		}
	}
}

func TestPermissionsChange(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.member("viw", access.DefaultTenant, access.TenantViewer)
	put := ask{method: "PUT", path: "/secrets/k", user: login("viw"), body: object{"value": "v", "update_if_exists": true}}
	a.do(put).refused("forbidden_error", "secret_create")
	a.do(ask{method: "PUT", path: "/permissions/viewer/secret_create"}).is(http.StatusOK)
	a.do(ask{method: "PUT", path: "/permissions/viewer/secret_create"}).refused("conflict_error", "already")
	a.do(put).is(http.StatusOK)
	a.do(ask{method: "DELETE", path: "/permissions/viewer/secret_create"}).is(http.StatusNoContent)
	a.do(put).refused("forbidden_error", "secret_create")
	a.do(ask{method: "DELETE", path: "/permissions/viewer/secret_create"}).refused("not_found_error", "")
	a.do(ask{method: "PUT", path: "/permissions/king/secret_create"}).refused("not_found_error", "king")
	a.do(ask{method: "GET", path: "/permissions", user: login("viw")}).refused("unauthorized_error", "")
	for _, item := range a.get("/permissions/viewer").items() {
		if item["role"] != "viewer" {
			t.Errorf("among the viewer's: %v", item)
		}
	}
}

// TestSecondLoginIsCheap: with hashes that take seconds the second request
// would not get through in time.
func TestSecondLoginIsCheap(t *testing.T) {
	t.Parallel()
	db := openStore(t)
	keys, err := access.NewKeyring(masterKey)
	if err != nil {
		t.Fatal(err)
	}
	s, err := access.New(access.Config{Store: db, Keys: keys, Cost: access.PasswordCost{Memory: 64 * 1024, Passes: 2, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bootstrap(t.Context(), "admin-password"); err != nil {
		t.Fatal(err)
	}
	var took [2]time.Duration
	for i := range took {
		begin := time.Now()
		if _, err := s.Login(t.Context(), "admin", "admin-password"); err != nil {
			t.Fatal(err)
		}
		took[i] = time.Since(begin)
	}
	if took[1] > took[0]/2 {
		t.Errorf("the second login took %s, the first %s", took[1], took[0])
	}
}
