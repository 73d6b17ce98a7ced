package rest

import (
	"net/http"

	"windlass/internal/access"
)

var grantShape = shape[access.Grant]{name: "Permission", fields: []field[access.Grant]{
	{"role", text, func(g access.Grant) any { return g.Role }},
	{"permission", text, func(g access.Grant) any { return g.Permission }},
}}

// adminOnly refuses others with the status that clients expect here.
func adminOnly(r *request) error {
	if r.caller.IsAdmin() {
		return nil
	}
	return fail("unauthorized_error", "User unauthorized: `%s` is not an admin", r.caller.Username)
}

func (s *server) listPermissions(w http.ResponseWriter, r *request) error {
	if err := adminOnly(r); err != nil {
		return err
	}
	q, err := s.listing(r, listed{global: true})
	if err != nil {
		return err
	}
	if r.query.Get("_size") == "" { // the whole table is one page
		q.Limit, q.Offset = 0, 0
	}
	grants, err := s.Access.Grants(r.Context(), r.PathValue("role"))
	if err != nil {
		return err
	}
	return reply(w, q, grantShape, slicePage(grants, q))
}

func (s *server) putPermission(w http.ResponseWriter, r *request) error {
	if err := adminOnly(r); err != nil {
		return err
	}
	g := access.Grant{Role: r.PathValue("role"), Permission: r.PathValue("permission")}
	if err := s.Access.SetGrant(r.Context(), g, true, r.caller.Username); err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, grantShape, g)
}

func (s *server) deletePermission(w http.ResponseWriter, r *request) error {
	if err := adminOnly(r); err != nil {
		return err
	}
	g := access.Grant{Role: r.PathValue("role"), Permission: r.PathValue("permission")}
	if err := s.Access.SetGrant(r.Context(), g, false, r.caller.Username); err != nil {
		return err
	}
	return done(w)
}
