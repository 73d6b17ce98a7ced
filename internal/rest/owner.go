package rest

import (
	"time"

	"windlass/internal/access"
	"windlass/internal/store"
)

// newVisibility reads the body of the set-visibility calls.
func (r *request) newVisibility() (store.Visibility, error) {
	return access.ParseVisibility(r.str("visibility"), false, store.Tenants, store.Global)
}

// widen refuses a visibility that is narrower than the present one, or that
// the caller may not give.
func (r *request) widen(id string, from, to store.Visibility) error {
	if err := r.caller.CheckGlobal(r.tenant, to); err != nil {
		return err
	}
	return access.CheckWiden(id, from, to)
}

// visibility reads the visibility of a new record from the body or the query.
func (r *request) visibility() (store.Visibility, error) {
	private, err := r.queryFlag("private_resource", false)
	if err != nil {
		return "", err
	}
	name := r.str("visibility")
	if name == "" {
		name = r.query.Get("visibility")
	}
	v, err := access.ParseVisibility(name, private || r.flag("private_resource"))
	if err != nil {
		return "", err
	}
	return v, r.caller.CheckGlobal(r.tenant, v)
}

// owner reads who is to own the record, which takes a permission to say.
func (r *request) owner(name, otherwise string) (string, error) {
	if !r.has(name) || r.str(name) == otherwise {
		return otherwise, nil
	}
	return r.str(name), r.need("set_owner")
}

// createdAt reads when the record is to have been created, which takes a
// permission to say.
func (r *request) createdAt(otherwise time.Time) (time.Time, error) {
	if !r.has("created_at") {
		return otherwise, nil
	}
	if err := r.need("set_timestamp"); err != nil {
		return otherwise, err
	}
	return parseTime("created_at", r.str("created_at"))
}
