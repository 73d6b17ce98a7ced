package rest

import (
	"net/http"
	"slices"

	"windlass/internal/access"
	"windlass/internal/store"
)

// tenant is a stored tenant with its members.
type tenant struct {
	store.Tenant
	members []store.TenantMember
	detail  bool // users as an object instead of their number
}

var tenantShape = shape[tenant]{name: "Tenant", fields: []field[tenant]{
	{"name", text, func(t tenant) any { return t.Name }},
	{"users", any_, func(t tenant) any {
		if !t.detail {
			return len(t.members)
		}
		users := object{}
		for _, m := range t.members {
			users[m.Username] = object{"tenant-role": m.Role, "roles": []any{m.Role}}
		}
		return users
	}},
	{"groups", any_, func(t tenant) any {
		if !t.detail {
			return 0
		}
		return object{}
	}},
	{"user_roles", dict, func(t tenant) any {
		if !t.detail {
			return nil
		}
		direct := object{}
		for _, m := range t.members {
			direct[m.Username] = m.Role
		}
		return object{"direct": direct, "groups": object{}}
	}},
	{"rabbitmq_username", text, func(tenant) any { return nil }},
	{"rabbitmq_password", text, func(tenant) any { return nil }},
	{"rabbitmq_vhost", text, func(tenant) any { return nil }},
}}

func (s *server) describeTenant(r *request, t store.Tenant) (tenant, error) {
	detail, err := r.queryFlag("_get_data", false)
	if err != nil {
		return tenant{}, err
	}
	members, err := s.Store.ListMembers(r.Context(), t.Name, "")
	return tenant{Tenant: t, members: members, detail: detail}, err
}

func (s *server) replyTenant(w http.ResponseWriter, r *request, status int, name string) error {
	t, err := s.Store.GetTenant(r.Context(), name)
	if err != nil {
		return err
	}
	out, err := s.describeTenant(r, t)
	if err != nil {
		return err
	}
	return replyOne(w, r, status, tenantShape, out)
}

// listTenants lists all tenants to those who may see all, and their own to
// others.
func (s *server) listTenants(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, listed{filters: []string{"name"}, sorts: []string{"created_at"}, global: true})
	if err != nil {
		return err
	}
	if !r.caller.Can("", "all_tenants") {
		own := make([]string, 0, len(r.caller.TenantRoles()))
		for name := range r.caller.TenantRoles() {
			own = append(own, name)
		}
		slices.Sort(own)
		q.with(store.Filter{Field: "name", Values: append(own, "")}) // with no value at all a filter would mean nothing
	}
	page, err := s.Store.ListTenants(r.Context(), q.Query)
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
		members[m.Tenant] = append(members[m.Tenant], m)
	}
	return reply(w, q, tenantShape, mapPage(page, func(t store.Tenant) tenant {
		return tenant{Tenant: t, members: members[t.Name], detail: detail}
	}))
}

// getTenant answers those who have the right in that very tenant.
func (s *server) getTenant(w http.ResponseWriter, r *request) error {
	name := r.PathValue("name")
	if err := r.caller.Check(name, "tenant_get"); err != nil {
		return err
	}
	return s.replyTenant(w, r, http.StatusOK, name)
}

func (s *server) postTenant(w http.ResponseWriter, r *request) error {
	t, err := s.Access.AddTenant(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	return s.replyTenant(w, r, http.StatusCreated, t.Name)
}

func (s *server) deleteTenant(w http.ResponseWriter, r *request) error {
	if err := s.Access.DeleteTenant(r.Context(), r.PathValue("name")); err != nil {
		return err
	}
	return done(w)
}

func (s *server) addMember(w http.ResponseWriter, r *request) error { return s.setMember(w, r, true) }

func (s *server) changeMember(w http.ResponseWriter, r *request) error {
	return s.setMember(w, r, false)
}

func (s *server) setMember(w http.ResponseWriter, r *request, fresh bool) error {
	m := store.TenantMember{Tenant: r.str("tenant_name"), Username: r.str("username"), Role: r.str("role")}
	if m.Role == "" {
		m.Role = access.TenantUser
	}
	if err := s.Access.SetMember(r.Context(), m, fresh); err != nil {
		return err
	}
	return s.replyTenant(w, r, http.StatusOK, m.Tenant)
}

func (s *server) removeMember(w http.ResponseWriter, r *request) error {
	if err := s.Access.RemoveMember(r.Context(), r.str("tenant_name"), r.str("username")); err != nil {
		return err
	}
	return done(w)
}

func (s *server) refuseGroups(http.ResponseWriter, *request) error { return notYet("A user group") }
