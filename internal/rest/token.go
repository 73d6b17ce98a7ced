package rest

import (
	"net/http"

	"windlass/internal/access"
	"windlass/internal/store"
)

// token is a stored token with what is shown of its text.
type token struct {
	store.Token
	text string
	role string
}

var tokenShape = shape[token]{name: "Token", fields: []field[token]{
	{"id", text, func(t token) any { return t.ID }},
	{"value", text, func(t token) any { return t.text }},
	{"username", text, func(t token) any { return t.Username }},
	{"role", text, func(t token) any { return t.role }},
	{"expiration_date", moment, func(t token) any { return date(t.ExpiresAt) }},
	{"last_used", moment, func(t token) any { return date(t.LastUsed) }},
	{"description", text, func(t token) any { return orNull(t.Description) }},
}}

func (s *server) describeToken(r *request, t store.Token, full string) (token, error) {
	out := token{Token: t, text: full, role: r.caller.Role}
	if full == "" {
		out.text = access.MaskedToken(t.ID)
	}
	if t.Username != r.caller.Username {
		u, err := s.Store.GetUser(r.Context(), t.Username)
		if err != nil {
			return out, err
		}
		out.role = u.Role
	}
	return out, nil
}

func (s *server) postToken(w http.ResponseWriter, r *request) error {
	t, full, err := s.Access.NewToken(r.Context(), r.caller.Username, r.str("description"), r.str("expiration_date"))
	if err != nil {
		return err
	}
	out, err := s.describeToken(r, t, full)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, tokenShape, out)
}

func (s *server) listTokens(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, listed{global: true, sorts: []string{"created_at"}})
	if err != nil {
		return err
	}
	page, err := s.Access.ListTokens(r.Context(), r.caller, q.Query)
	if err != nil {
		return err
	}
	out := store.Page[token]{Total: page.Total, Next: page.Next}
	for _, t := range page.Items {
		described, err := s.describeToken(r, t, "")
		if err != nil {
			return err
		}
		out.Items = append(out.Items, described)
	}
	return reply(w, q, tokenShape, out)
}

func (s *server) getToken(w http.ResponseWriter, r *request) error {
	t, err := s.Access.GetToken(r.Context(), r.caller, r.PathValue("id"))
	if err != nil {
		return err
	}
	out, err := s.describeToken(r, t, "")
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, tokenShape, out)
}

func (s *server) deleteToken(w http.ResponseWriter, r *request) error {
	if err := s.Access.DeleteToken(r.Context(), r.caller, r.PathValue("id")); err != nil {
		return err
	}
	return done(w)
}
