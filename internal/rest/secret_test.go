package rest

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/access"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.member("ann", access.DefaultTenant, access.TenantUser)
	a.member("bob", access.DefaultTenant, access.TenantUser)
	put := func(key string, body object) answered {
		return a.do(ask{method: "PUT", path: "/secrets/" + key, user: login("ann"), body: body})
	}
	if v := put("k", object{"value": "plain text", "is_hidden_value": true}).is(http.StatusOK).object()["value"]; v != "" {
		t.Errorf("the answer shows %v", v)
	}
	sec, err := a.store.GetSecret(t.Context(), access.DefaultTenant, "k")
	if err != nil || bytes.Contains(sec.Sealed, []byte("plain")) {
		t.Errorf("stored as %q, %v", sec.Sealed, err)
	}
	read := func(user string) any {
		return a.do(ask{method: "GET", path: "/secrets/k", user: user}).is(http.StatusOK).object()["value"]
	}
	if read(login("ann")) != "plain text" || read("admin:admin-password") != "plain text" || read(login("bob")) != "" {
		t.Errorf("ann %v, admin %v, bob %v", read(login("ann")), read("admin:admin-password"), read(login("bob")))
	}
	a.do(ask{method: "PATCH", path: "/secrets/k", user: login("bob"), body: object{"value": "x"}}).refused("forbidden_error", "hidden")
	a.do(ask{method: "DELETE", path: "/secrets/k", user: login("bob")}).refused("forbidden_error", "hidden")
	put("k", object{"value": "again"}).refused("conflict_error", "already exists")
	put("k", object{"value": ""}).refused("bad_parameters_error", "empty")
	put("bad key", object{"value": "v"}).refused("bad_parameters_error", "illegal characters")
	a.do(ask{method: "PATCH", path: "/secrets/k", body: object{}}).refused("bad_parameters_error", "at least one parameter")
	for _, item := range a.get("/secrets").items() {
		if _, shown := item["value"]; shown {
			t.Errorf("a list shows values: %v", item)
		}
	}
	schema := object{"type": "object", "properties": object{"port": object{"type": "integer"}}, "required": []any{"port"}}
	put("s", object{"value": object{"port": 80}, "schema": schema}).is(http.StatusOK)
	if diff := cmp.Diff(object{"port": int64(80)}, a.get("/secrets/s").object()["value"]); diff != "" {
		t.Error(diff)
	}
	put("s2", object{"value": `{"port": "x"}`, "schema": schema}).refused("conflict_error", "Error validating secret value")
	put("s3", object{"value": "1", "schema": object{"type": "nonsense"}}).refused("bad_parameters_error", "schema is not valid")
	put("s4", object{"value": "1", "schema": object{"$ref": "file:///etc/passwd"}}).refused("bad_parameters_error", "schema is not valid")
}

func TestSecretsTravel(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	if _, err := a.access.AddTenant(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	a.member("bob", access.DefaultTenant, access.TenantUser)
	for key, hidden := range map[string]bool{"open": false, "hidden": true} {
		a.do(ask{method: "PUT", path: "/secrets/" + key, body: object{"value": "v of " + key, "is_hidden_value": hidden}}).is(http.StatusOK)
	}
	taken := a.get("/secrets/share/export?_sort=key").is(http.StatusOK).value().([]any)
	if len(taken) != 2 || taken[1].(object)["value"] != "v of open" || taken[1].(object)["creator"] != nil {
		t.Errorf("exported: %v", taken)
	}
	if got := a.do(ask{method: "GET", path: "/secrets/share/export", user: login("bob")}).value().([]any); len(got) != 1 {
		t.Errorf("bob takes away %v", got)
	}
	a.get("/secrets/share/export?_passphrase=p").refused("not_implemented_error", "passphrase")
	give := func(items []any, override bool) object {
		return a.do(ask{method: "POST", path: "/secrets/share/import", body: object{
			"secrets_list": items, "override_collisions": override, "tenant_map": object{"default_tenant": "other"}}}).is(http.StatusOK).object()
	}
	first := give(append(taken, object{"key": "x"}, "y", object{"key": "x", "value": "v", "tenant_name": "nowhere"}), false)
	if len(first["colliding_secrets"].(object)) != 0 || len(first["secrets_errors"].(object)) != 3 || first["secrets_errors"].(object)["2"] == nil {
		t.Errorf("imported: %v", first)
	}
	taken[1].(object)["value"] = "new"
	again := give(taken[1:], false)
	if diff := cmp.Diff(object{"other": []any{"open"}}, again["colliding_secrets"]); diff != "" {
		t.Error(diff)
	}
	value := func() any {
		return a.do(ask{method: "GET", path: "/secrets/open", tenant: "other"}).object()["value"]
	}
	if value() != "v of open" {
		t.Errorf("replaced without being told to: %v", value())
	}
	give(taken[1:], true)
	if value() != "new" {
		t.Errorf("not replaced: %v", value())
	}
}
