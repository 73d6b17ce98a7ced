package access

import (
	"windlass/internal/store"
)

// Method is how a caller proved who it is; the values are those of the audit
// header.
type Method string

// The methods.
const (
	ByPassword  Method = "http_basic"
	ByToken     Method = "token"
	ByExecution Method = "execution_token"
)

// Caller is a user who makes a request, with the rights at that moment.
type Caller struct {
	store.User
	Method    Method
	Execution *store.Execution // set if it is an execution that calls

	tenantRoles map[string]string
	grants      *grantTable
}

// TenantRole is the caller's role in the tenant, "" if it is no member.
func (c *Caller) TenantRole(tenant string) string { return c.tenantRoles[tenant] }

// TenantRoles maps the tenants that the caller is a member of to its role in each.
func (c *Caller) TenantRoles() map[string]string { return c.tenantRoles }

// IsAdmin tells whether the caller passes every check.
func (c *Caller) IsAdmin() bool { return c.Bootstrap || c.Role == SysAdmin }

// Can tells whether the caller may do what the permission names in the tenant;
// "" stands for no tenant: then only the system role counts.
func (c *Caller) Can(tenant, permission string) bool {
	if c.Bootstrap {
		return true
	}
	if c.grants.allows(c.Role, permission) {
		return true
	}
	role := c.tenantRoles[tenant]
	return role != "" && c.grants.allows(role, permission)
}

// Check gives a Forbidden error unless the caller Can.
func (c *Caller) Check(tenant, permission string) error {
	if c.Can(tenant, permission) {
		return nil
	}
	if tenant == "" {
		return refuse(Forbidden, "User `%s` is not permitted to perform the action %s", c.Username, permission)
	}
	return refuse(Forbidden, "User `%s` is not permitted to perform the action %s in the tenant `%s`", c.Username, permission, tenant)
}

// SeesPrivate tells whether the caller sees private records of others in the tenant.
func (c *Caller) SeesPrivate(tenant string) bool {
	return c.IsAdmin() || c.tenantRoles[tenant] == TenantManager
}

// Sees tells whether the caller, working in the tenant, sees the record.
func (c *Caller) Sees(tenant string, o store.Owned) bool {
	switch o.Visibility {
	case store.Global:
		return true
	case store.Private:
		return o.Tenant == tenant && (o.CreatedBy == c.Username || c.SeesPrivate(tenant))
	}
	return o.Tenant == tenant
}

// CheckChange gives an error unless the caller, working in the tenant, may
// change the record that it sees: a global one is changed from its own tenant.
func (c *Caller) CheckChange(tenant string, o store.Owned, id string) error {
	if o.Tenant != tenant {
		return refuse(IllegalAction, "Can't modify the global resource `%s` from outside its tenant `%s`", id, o.Tenant)
	}
	return nil
}

// ParseVisibility reads a visibility of those allowed; "" gives the default,
// or Private if private is set (an old way to ask for it).
func ParseVisibility(text string, private bool, allowed ...store.Visibility) (store.Visibility, error) {
	if text == "" {
		if private {
			return store.Private, nil
		}
		return store.Tenants, nil
	}
	if len(allowed) == 0 {
		allowed = []store.Visibility{store.Private, store.Tenants, store.Global}
	}
	names := ""
	for i, v := range allowed {
		if string(v) == text {
			return v, nil
		}
		if i > 0 {
			names += ", "
		}
		names += "'" + string(v) + "'"
	}
	return "", refuse(BadParameters, "Invalid visibility: `%s`. Valid visibility's values are: [%s]", text, names)
}

// CheckGlobal gives an error if v is global and the caller may not make global records.
func (c *Caller) CheckGlobal(tenant string, v store.Visibility) error {
	if v == store.Global && !c.Can(tenant, "create_global_resource") {
		return refuse(Forbidden, "User `%s` is not permitted to set or create a global resource", c.Username)
	}
	return nil
}

// CheckWiden gives an error if a record of visibility from may not become to:
// visibility only ever widens.
func CheckWiden(id string, from, to store.Visibility) error {
	if width[to] < width[from] {
		return refuse(IllegalAction, "Can't set the visibility of `%s` to %s because it already has wider visibility", id, to)
	}
	return nil
}

var width = map[store.Visibility]int{store.Private: 0, store.Tenants: 1, store.Global: 2}
