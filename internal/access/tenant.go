package access

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"windlass/internal/store"
)

var legalName = regexp.MustCompile(`^[A-Za-z0-9_.~-]*$`)

// CheckName gives an error unless name can be the name of something. what says
// what of, as in "tenant_name".
func CheckName(what, name string, letterFirst bool) error {
	switch {
	case name == "":
		return refuse(BadParameters, "The `%s` argument is empty", what)
	case len([]rune(name)) > 256:
		return refuse(BadParameters, "The `%s` argument is too long. Maximum allowed length is 256 characters", what)
	case !legalName.MatchString(name) || strings.Trim(name, ".") == "":
		return refuse(BadParameters, "The `%s` argument contains illegal characters. "+
			"Only letters, digits and the characters \"-\", \".\" and \"_\" are allowed", what)
	case letterFirst && !isLetter(name[0]):
		return refuse(BadParameters, "The `%s` argument must begin with a letter", what)
	}
	return nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// FindTenant reads the tenant named in a request's header.
func (s *Service) FindTenant(ctx context.Context, name string) (store.Tenant, error) {
	t, err := s.store.GetTenant(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return t, refuse(Forbidden, "Authorization failed: Tried to authenticate with invalid tenant name: %s", name)
	}
	if err != nil {
		return t, fmt.Errorf("read tenant %q: %w", name, err)
	}
	return t, nil
}

// TenantsWith lists the tenants in which the caller has the permission.
func (s *Service) TenantsWith(ctx context.Context, c *Caller, permission string) ([]string, error) {
	page, err := s.store.ListTenants(ctx, store.Query{})
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	var names []string
	for _, t := range page.Items {
		if c.IsAdmin() || c.TenantRole(t.Name) != "" && c.Can(t.Name, permission) {
			names = append(names, t.Name)
		}
	}
	return names, nil
}

// AddTenant creates a tenant.
func (s *Service) AddTenant(ctx context.Context, name string) (store.Tenant, error) {
	t := store.Tenant{Name: name, CreatedAt: s.now()}
	if err := CheckName("tenant_name", name, true); err != nil {
		return t, err
	}
	if name == "users" || name == "user-groups" {
		return t, refuse(BadParameters, "`%s` is not a valid tenant name", name)
	}
	err := s.store.Write(ctx, func(tx store.Tx) error { return tx.AddTenant(ctx, t) })
	if errors.Is(err, store.ErrExists) {
		return t, refuse(Conflict, "<Tenant name=`%s`> already exists", name)
	}
	if err != nil {
		return t, fmt.Errorf("create tenant %q: %w", name, err)
	}
	return t, nil
}

// DeleteTenant removes a tenant in which there is nothing any more.
func (s *Service) DeleteTenant(ctx context.Context, name string) error {
	if name == DefaultTenant {
		return refuse(IllegalAction, "Can't delete the default tenant")
	}
	err := s.store.Write(ctx, func(tx store.Tx) error {
		if _, err := tx.GetTenant(ctx, name); err != nil {
			return err
		}
		left, err := leftIn(ctx, tx, name)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return refuse(Conflict, "Can't delete the tenant `%s`: it still has %s", name, strings.Join(left, ", "))
		}
		return tx.DeleteTenant(ctx, name)
	})
	return s.tenantError(err, name, "delete")
}

// leftIn says what is in the tenant: "2 blueprints".
func leftIn(ctx context.Context, r store.Reader, tenant string) ([]string, error) {
	own := store.Query{Filters: []store.Filter{{Field: "tenant_name", Values: []string{tenant}}}, Limit: 1}
	var left []string
	note := func(what string, n int, err error) error {
		if err == nil && n > 0 {
			left = append(left, fmt.Sprintf("%d %s", n, what))
		}
		return err
	}
	b, err := r.ListBlueprints(ctx, own)
	if err := note("blueprints", b.Total, err); err != nil {
		return nil, err
	}
	d, err := r.ListDeployments(ctx, own)
	if err := note("deployments", d.Total, err); err != nil {
		return nil, err
	}
	secrets, err := r.ListSecrets(ctx, own)
	if err := note("secrets", secrets.Total, err); err != nil {
		return nil, err
	}
	return left, nil
}

func (s *Service) tenantError(err error, name, verb string) error {
	var own *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.Is(err, store.ErrNotFound):
		return refuse(NotFound, "Requested `Tenant` with ID `%s` was not found", name)
	}
	return fmt.Errorf("%s tenant %q: %w", verb, name, err)
}

// SetMember gives a user a role in a tenant. With fresh the user must not be a
// member yet, without it the user must be one.
func (s *Service) SetMember(ctx context.Context, m store.TenantMember, fresh bool) error {
	if valid := roleNames("tenant_role"); !slices.Contains(valid, m.Role) {
		return refuse(BadParameters, "Invalid role: `%s`. Valid tenant_role roles are: ['%s']", m.Role, strings.Join(valid, "', '"))
	}
	err := s.store.Write(ctx, func(tx store.Tx) error {
		is, err := isMember(ctx, tx, m)
		if err != nil {
			return err
		}
		switch {
		case is && fresh:
			return refuse(Conflict, "User `%s` is already associated with tenant `%s`", m.Username, m.Tenant)
		case !is && !fresh:
			return refuse(NotFound, "User `%s` is not associated with tenant `%s`", m.Username, m.Tenant)
		}
		return tx.SetMember(ctx, m)
	})
	return s.tenantError(err, m.Tenant, "change the members of")
}

// RemoveMember ends a user's membership in a tenant.
func (s *Service) RemoveMember(ctx context.Context, tenant, username string) error {
	m := store.TenantMember{Tenant: tenant, Username: username}
	err := s.store.Write(ctx, func(tx store.Tx) error {
		is, err := isMember(ctx, tx, m)
		if err != nil {
			return err
		}
		if !is {
			return refuse(NotFound, "User `%s` is not associated with tenant `%s`", username, tenant)
		}
		return tx.DeleteMember(ctx, tenant, username)
	})
	return s.tenantError(err, tenant, "change the members of")
}

// isMember looks up the membership; the tenant and the user must exist.
func isMember(ctx context.Context, r store.Reader, m store.TenantMember) (bool, error) {
	if _, err := r.GetTenant(ctx, m.Tenant); err != nil {
		return false, err
	}
	if _, err := r.GetUser(ctx, m.Username); errors.Is(err, store.ErrNotFound) {
		return false, refuse(NotFound, "Requested `User` with ID `%s` was not found", m.Username)
	} else if err != nil {
		return false, err
	}
	list, err := r.ListMembers(ctx, m.Tenant, m.Username)
	return len(list) > 0, err
}
