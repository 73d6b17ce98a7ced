package rest

import (
	"net/http"
	"time"

	"windlass/internal/access"
	"windlass/internal/store"
)

// user is a stored user with the memberships.
type user struct {
	store.User
	locked  bool
	members []store.TenantMember
	detail  bool // tenants as an object instead of their number
}

var userShape = shape[user]{name: "User", fields: []field[user]{
	{"username", text, func(u user) any { return u.Username }},
	{"role", text, func(u user) any { return u.Role }},
	{"active", boolean, func(u user) any { return u.Active }},
	{"created_at", moment, func(u user) any { return date(u.CreatedAt) }},
	{"first_login_at", moment, func(u user) any { return date(u.FirstLoginAt) }},
	{"last_login_at", moment, func(u user) any { return date(u.LastLoginAt) }},
	{"is_locked", boolean, func(u user) any { return u.locked }},
	{"show_getting_started", boolean, func(u user) any { return u.GettingStarted }},
	{"group_system_roles", dict, func(user) any { return object{} }},
	{"tenants", any_, func(u user) any {
		if !u.detail {
			return len(u.members)
		}
		tenants := object{}
		for _, m := range u.members {
			tenants[m.Tenant] = object{"tenant-role": m.Role, "roles": []any{m.Role}}
		}
		return tenants
	}},
	{"groups", any_, func(u user) any {
		if !u.detail {
			return 0
		}
		return []any{}
	}},
	{"tenant_roles", dict, func(u user) any {
		if !u.detail {
			return nil
		}
		direct := object{}
		for _, m := range u.members {
			direct[m.Tenant] = m.Role
		}
		return object{"direct": direct, "groups": object{}}
	}},
}}

var userList = listed{filters: []string{"username", "role", "active"}, booleans: []string{"active"}, sorts: []string{"created_at", "last_login_at"}, global: true}

func (s *server) describeUser(r *request, u store.User) (user, error) {
	detail, err := r.queryFlag("_get_data", false)
	if err != nil {
		return user{}, err
	}
	members, err := s.Store.ListMembers(r.Context(), "", u.Username)
	return user{User: u, locked: s.Access.IsLocked(u), members: members, detail: detail}, err
}

func (s *server) replyUser(w http.ResponseWriter, r *request, status int, u store.User) error {
	out, err := s.describeUser(r, u)
	if err != nil {
		return err
	}
	return replyOne(w, r, status, userShape, out)
}

func (s *server) getSelf(w http.ResponseWriter, r *request) error {
	u, err := s.Store.GetUser(r.Context(), r.caller.Username) // newer than what the caller was made of
	if err != nil {
		return err
	}
	return s.replyUser(w, r, http.StatusOK, u)
}

func (s *server) listUsers(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, userList)
	if err != nil {
		return err
	}
	page, err := s.Store.ListUsers(r.Context(), q.Query)
	if err != nil {
		return err
	}
	detail, err := r.queryFlag("_get_data", false)
	if err != nil {
		return err
	}
	all, err := s.Store.ListMembers(r.Context(), "", "")
	if err != nil {
		return err
	}
	members := map[string][]store.TenantMember{}
	for _, m := range all {
		members[m.Username] = append(members[m.Username], m)
	}
	return reply(w, q, userShape, mapPage(page, func(u store.User) user {
		return user{User: u, locked: s.Access.IsLocked(u), members: members[u.Username], detail: detail}
	}))
}

// getUser answers admins about everybody and others about themselves.
func (s *server) getUser(w http.ResponseWriter, r *request) error {
	name := r.PathValue("name")
	if name != r.caller.Username {
		if err := r.need("user_get"); err != nil {
			return err
		}
	}
	u, err := s.Store.GetUser(r.Context(), name)
	if err != nil {
		return err
	}
	return s.replyUser(w, r, http.StatusOK, u)
}

func (s *server) putUser(w http.ResponseWriter, r *request) error {
	n := access.NewUser{Username: r.str("username"), Password: r.str("password"), Prehashed: r.flag("is_prehashed"), Role: r.str("role")}
	for name, target := range map[string]*time.Time{"created_at": &n.CreatedAt, "first_login_at": &n.FirstLoginAt, "last_login_at": &n.LastLoginAt} {
		if !r.has(name) {
			continue
		}
		var err error
		if *target, err = parseTime(name, r.str(name)); err != nil {
			return err
		}
	}
	u, err := s.Access.AddUser(r.Context(), n)
	if err != nil {
		return err
	}
	return s.replyUser(w, r, http.StatusCreated, u)
}

// postUser changes one thing about a user. Own passwords and the introduction
// are everybody's to change.
func (s *server) postUser(w http.ResponseWriter, r *request) error {
	name := r.PathValue("name")
	if name != r.caller.Username || r.has("role") {
		if err := r.need("user_update"); err != nil {
			return err
		}
	}
	var u store.User
	var err error
	switch {
	case r.has("password") && r.has("role"):
		return badParameter("Both `password` and `role` provided")
	case r.has("password"):
		u, err = s.Access.SetPassword(r.Context(), name, r.str("password"))
	case r.has("role"):
		u, err = s.Access.SetRole(r.Context(), name, r.str("role"))
	case r.has("show_getting_started"):
		u, err = s.Access.SetGettingStarted(r.Context(), name, r.flag("show_getting_started"))
	default:
		return badParameter("Neither `password` nor `role` provided")
	}
	if err != nil {
		return err
	}
	return s.replyUser(w, r, http.StatusOK, u)
}

func (s *server) deleteUser(w http.ResponseWriter, r *request) error {
	if err := s.Access.DeleteUser(r.Context(), r.caller, r.PathValue("name")); err != nil {
		return err
	}
	return done(w)
}

func (s *server) activateUser(w http.ResponseWriter, r *request) error {
	u, err := s.Access.SetActive(r.Context(), r.PathValue("name"), r.str("action") == "activate")
	if err != nil {
		return err
	}
	return s.replyUser(w, r, http.StatusOK, u)
}

func (s *server) unlockUser(w http.ResponseWriter, r *request) error {
	u, err := s.Access.Unlock(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	return s.replyUser(w, r, http.StatusOK, u)
}
