package access

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/store"
	"windlass/internal/store/sqlite"
	"windlass/internal/store/storetest"
)

// kit is a Service on a real store, with a clock that the test moves.
type kit struct {
	*Service
	db  store.Store
	now time.Time
}

func newKit(t *testing.T) *kit {
	t.Helper()
	db, err := sqlite.Open(t.Context(), storetest.SQLiteFile(t, filepath.Join(t.TempDir(), "windlass.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	k := &kit{db: db, now: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)}
	k.Service, err = New(Config{Store: db, Keys: ring(t, firstKey), Cost: cheap, Now: func() time.Time { return k.now }})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kit) user(t *testing.T, name string) {
	t.Helper()
	if _, err := k.AddUser(t.Context(), NewUser{Username: name, Password: "password"}); err != nil {
		t.Fatal(err)
	}
}

func (k *kit) login(t *testing.T, name, password string) error {
	t.Helper()
	_, err := k.Login(t.Context(), name, password)
	return err
}

// is checks the code of a refusal and a part of its message.
func is(t *testing.T, err error, code Code, message string) {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != code || !strings.Contains(refused.Message, message) {
		t.Errorf("got %v, want %s with %q", err, code, message)
	}
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	password, err := k.Bootstrap(t.Context(), "")
	if err != nil || len(password) != 20 {
		t.Fatalf("password %q, %v", password, err)
	}
	c, err := k.Login(t.Context(), AdminName, password)
	if err != nil || !c.IsAdmin() || !c.Can("anywhere", "anything at all") {
		t.Errorf("the admin: %+v, %v", c, err)
	}
	again, err := k.Bootstrap(t.Context(), "something")
	if again != "" || err != nil {
		t.Errorf("the second start: %q, %v", again, err)
	}
	if _, err := k.FindTenant(t.Context(), DefaultTenant); err != nil {
		t.Error(err)
	}
}

func TestBootstrapRefusesShortPasswords(t *testing.T) {
	t.Parallel()
	_, err := newKit(t).Bootstrap(t.Context(), "1234")
	is(t, err, BadParameters, "at least 5 characters")
}

func TestLoginNotesTimes(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.user(t, "ann")
	first := k.now
	if err := k.login(t, "ann", "password"); err != nil {
		t.Fatal(err)
	}
	k.now = k.now.Add(time.Hour)
	if err := k.login(t, "ann", "password"); err != nil {
		t.Fatal(err)
	}
	u, err := k.db.GetUser(t.Context(), "ann")
	if err != nil || !u.FirstLoginAt.Equal(first) || !u.LastLoginAt.Equal(k.now) {
		t.Errorf("first %s, last %s, %v", u.FirstLoginAt, u.LastLoginAt, err)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.user(t, "ann")
	for range 5 {
		is(t, k.login(t, "ann", "wrong"), Unauthorized, "Wrong credentials or locked account")
	}
	is(t, k.login(t, "ann", "password"), Unauthorized, "locked account")
	k.now = k.now.Add(DefaultLockFor)
	is(t, k.login(t, "ann", "wrong"), Unauthorized, "") // counts anew
	if err := k.login(t, "ann", "password"); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

func TestPasswordChangeHoldsAtOnce(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.user(t, "ann")
	if err := k.login(t, "ann", "password"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.SetPassword(t.Context(), "ann", "new password"); err != nil {
		t.Fatal(err)
	}
	is(t, k.login(t, "ann", "password"), Unauthorized, "Wrong credentials")
	if err := k.login(t, "ann", "new password"); err != nil {
		t.Error(err)
	}
	if _, err := k.SetActive(t.Context(), "ann", false); err != nil {
		t.Fatal(err)
	}
	is(t, k.login(t, "ann", "new password"), Unauthorized, "Wrong credentials")
}

// TestUnknownAndForgedHash: a stored hash that can't be read keeps the user
// out and is no error of the server.
func TestUnreadableHash(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.user(t, "ann")
	if err := k.db.Write(t.Context(), func(tx store.Tx) error {
		u, err := tx.GetUser(t.Context(), "ann")
		if err != nil {
			return err
		}
		u.PasswordHash = "junk"
		return tx.UpdateUser(t.Context(), u)
	}); err != nil {
		t.Fatal(err)
	}
	is(t, k.login(t, "ann", "password"), Unauthorized, "Wrong credentials")
}

func TestUsers(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx := t.Context()
	if _, err := k.Bootstrap(ctx, "password"); err != nil {
		t.Fatal(err)
	}
	admin, err := k.Login(ctx, AdminName, "password")
	if err != nil {
		t.Fatal(err)
	}
	k.user(t, "ann")
	_, err = k.AddUser(ctx, NewUser{Username: "ann", Password: "password"})
	is(t, err, Conflict, "already exists")
	_, err = k.AddUser(ctx, NewUser{Username: "bob", Password: "password", Role: "king"})
	is(t, err, BadParameters, "Invalid role: `king`. Valid system_role roles are: ['sys_admin', 'default']")
	_, err = k.AddUser(ctx, NewUser{Username: "1bob", Password: "password"})
	is(t, err, BadParameters, "must begin with a letter")
	_, err = k.AddUser(ctx, NewUser{Username: "bob", Password: "plain", Prehashed: true})
	is(t, err, BadParameters, "prehashed")
	_, err = k.SetRole(ctx, AdminName, SystemUser)
	is(t, err, IllegalAction, "bootstrap")
	_, err = k.SetActive(ctx, AdminName, false)
	is(t, err, IllegalAction, "bootstrap")
	_, err = k.SetActive(ctx, "ann", true)
	is(t, err, Conflict, "already active")
	_, err = k.SetRole(ctx, "nobody", SystemUser)
	is(t, err, NotFound, "Requested `User` with ID `nobody` was not found")

	// Prehashed: the hash of one user serves another.
	ann, err := k.db.GetUser(ctx, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.AddUser(ctx, NewUser{Username: "bob", Password: ann.PasswordHash, Prehashed: true}); err != nil {
		t.Fatal(err)
	}
	if err := k.login(t, "bob", "password"); err != nil {
		t.Error(err)
	}

	is(t, k.DeleteUser(ctx, admin, AdminName), IllegalAction, "bootstrap")
	bob, err := k.Login(ctx, "bob", "password")
	if err != nil {
		t.Fatal(err)
	}
	is(t, k.DeleteUser(ctx, bob, "bob"), IllegalAction, "itself")
	if err := k.db.Write(ctx, func(tx store.Tx) error {
		return tx.AddBlueprint(ctx, store.Blueprint{Owned: store.Owned{Tenant: DefaultTenant, Visibility: store.Tenants, CreatedBy: "bob", CreatedAt: k.now}, ID: "b"})
	}); err != nil {
		t.Fatal(err)
	}
	is(t, k.DeleteUser(ctx, admin, "bob"), Conflict, "owns 1 blueprints")
	if err := k.DeleteUser(ctx, admin, "ann"); err != nil {
		t.Error(err)
	}
	is(t, k.DeleteUser(ctx, admin, "ann"), NotFound, "ann")
}

func TestTenants(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx := t.Context()
	k.user(t, "ann")
	for _, name := range []string{"t1", "t2"} {
		if _, err := k.AddTenant(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	_, err := k.AddTenant(ctx, "t1")
	is(t, err, Conflict, "already exists")
	for _, name := range []string{"", "users", "user-groups", "1x", "a b", "..", strings.Repeat("x", 257)} {
		_, err := k.AddTenant(ctx, name)
		is(t, err, BadParameters, "")
	}
	_, err = k.FindTenant(ctx, "nope")
	is(t, err, Forbidden, "invalid tenant name: nope")

	m := store.TenantMember{Tenant: "t1", Username: "ann", Role: TenantViewer}
	is(t, k.SetMember(ctx, m, false), NotFound, "is not associated")
	if err := k.SetMember(ctx, m, true); err != nil {
		t.Fatal(err)
	}
	is(t, k.SetMember(ctx, m, true), Conflict, "already associated")
	m.Role = "king"
	is(t, k.SetMember(ctx, m, false), BadParameters, "Invalid role: `king`. Valid tenant_role roles are: ['manager', 'user', 'operations', 'viewer']")
	is(t, k.SetMember(ctx, store.TenantMember{Tenant: "nope", Username: "ann", Role: TenantUser}, true), NotFound, "`Tenant`")
	is(t, k.SetMember(ctx, store.TenantMember{Tenant: "t1", Username: "nope", Role: TenantUser}, true), NotFound, "`User`")

	c, err := k.Login(ctx, "ann", "password")
	if err != nil {
		t.Fatal(err)
	}
	if !c.Can("t1", "blueprint_list") || c.Can("t1", "blueprint_upload") || c.Can("t2", "blueprint_list") || c.Can("", "blueprint_list") {
		t.Error("a viewer of t1 lists there, uploads nowhere and sees nothing elsewhere")
	}
	names, err := k.TenantsWith(ctx, c, "blueprint_list")
	if diff := cmp.Diff([]string{"t1"}, names); diff != "" || err != nil {
		t.Error(diff, err)
	}

	if err := k.db.Write(ctx, func(tx store.Tx) error {
		return tx.AddBlueprint(ctx, store.Blueprint{Owned: store.Owned{Tenant: "t1", Visibility: store.Private, CreatedBy: "bob", CreatedAt: k.now}, ID: "b"})
	}); err != nil {
		t.Fatal(err)
	}
	is(t, k.DeleteTenant(ctx, "t1"), Conflict, "it still has 1 blueprints")
	is(t, k.DeleteTenant(ctx, DefaultTenant), IllegalAction, "default tenant")
	is(t, k.DeleteTenant(ctx, "nope"), NotFound, "nope")
	if err := k.DeleteTenant(ctx, "t2"); err != nil {
		t.Error(err)
	}
	if err := k.RemoveMember(ctx, "t1", "ann"); err != nil {
		t.Error(err)
	}
	is(t, k.RemoveMember(ctx, "t1", "ann"), NotFound, "is not associated")
}

func TestSecretsForFunctions(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx := context.Background()
	add := func(tenant, key, text string, v store.Visibility, schema map[string]any) {
		t.Helper()
		s := store.Secret{Owned: store.Owned{Tenant: tenant, Visibility: v, CreatedBy: "ann", CreatedAt: k.now}, Key: key, Schema: schema, UpdatedAt: k.now}
		if err := k.SealSecret(&s, text); err != nil {
			t.Fatal(err)
		}
		if err := k.db.Write(ctx, func(tx store.Tx) error { return tx.AddSecret(ctx, s) }); err != nil {
			t.Fatal(err)
		}
	}
	add("t1", "plain", "12", store.Tenants, nil)
	add("t1", "typed", `{"port": 80, "ratio": 1.0}`, store.Global, map[string]any{"type": "object"})
	for _, tt := range []struct {
		tenant, key string
		want        any
	}{
		{"t1", "plain", "12"},
		{"t1", "typed", map[string]any{"port": int64(80), "ratio": 1.0}},
		{"t2", "typed", map[string]any{"port": int64(80), "ratio": 1.0}},
	} {
		got, err := k.Secret(ctx, tt.tenant, tt.key)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s of %s: %v %s", tt.key, tt.tenant, err, diff)
		}
	}
	if _, err := k.Secret(ctx, "t2", "plain"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of another tenant: %v", err)
	}

	// A new master key in front: after rewrapping the old one can go.
	moved, err := New(Config{Store: k.db, Keys: ring(t, secondKey, firstKey), Cost: cheap})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := moved.RewrapSecrets(ctx); n != 2 || err != nil {
		t.Fatalf("rewrapped %d, %v", n, err)
	}
	alone, err := New(Config{Store: k.db, Keys: ring(t, secondKey), Cost: cheap})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := alone.Secret(ctx, "t1", "plain"); got != "12" || err != nil {
		t.Errorf("with the new key alone: %v, %v", got, err)
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx := t.Context()
	g := Grant{Role: TenantViewer, Permission: "secret_create"}
	if err := k.SetGrant(ctx, g, true, "admin"); err != nil {
		t.Fatal(err)
	}
	is(t, k.SetGrant(ctx, g, true, "admin"), Conflict, "already")
	all, err := k.Grants(ctx, TenantViewer)
	found := false
	for _, one := range all {
		found = found || one == g
	}
	if err != nil || !found {
		t.Errorf("not listed: %v", err)
	}
	if err := k.SetGrant(ctx, g, false, "admin"); err != nil {
		t.Fatal(err)
	}
	is(t, k.SetGrant(ctx, g, false, "admin"), NotFound, "does not have")
	is(t, k.SetGrant(ctx, Grant{Role: TenantViewer, Permission: "fly"}, true, "admin"), NotFound, "fly")
	_, err = k.Grants(ctx, "king")
	is(t, err, NotFound, "king")
}

// TestTableIsWhole: every permission is somebody's, and sys_admin has all.
func TestTableIsWhole(t *testing.T) {
	t.Parallel()
	for _, p := range Permissions() {
		roles := Allowed(p)
		admin := false
		for _, r := range roles {
			admin = admin || r == SysAdmin
			if !isRole(r) {
				t.Errorf("%s is for %s, which is no role", p, r)
			}
		}
		if !admin {
			t.Errorf("%s is not for %s", p, SysAdmin)
		}
	}
}
