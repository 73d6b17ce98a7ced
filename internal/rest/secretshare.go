package rest

import (
	"errors"
	"net/http"
	"strconv"

	"windlass/internal/access"
	"windlass/internal/store"
)

// exported is a secret on its way to another manager, in the clear.
type exported struct {
	store.Secret
	text string
}

var exportedShape = shape[exported]{name: "ExportedSecret", fields: []field[exported]{
	{"key", text, func(x exported) any { return x.Key }},
	{"value", text, func(x exported) any { return x.text }},
	{"visibility", text, func(x exported) any { return string(x.Visibility) }},
	{"tenant_name", text, func(x exported) any { return x.Tenant }},
	{"is_hidden_value", boolean, func(x exported) any { return x.IsHidden }},
	{"encrypted", boolean, func(exported) any { return false }},
	{"provider", text, func(x exported) any { return orNull(x.ProviderName) }},
	{"provider_options", dict, func(x exported) any { return mapOrNull(x.ProviderOptions) }},
	{"schema", dict, func(x exported) any { return mapOrNull(x.Schema) }},
	{"creator", text, func(x exported) any { return x.CreatedBy }},
	{"created_at", moment, func(x exported) any { return date(x.CreatedAt) }},
}}

// withoutMetadata are the fields of an export unless metadata is asked for.
var withoutMetadata = []string{"key", "value", "visibility", "tenant_name", "is_hidden_value", "encrypted", "provider", "provider_options", "schema"}

// exportSecrets gives the secrets that the caller may read, values and all, as
// a bare list.
func (s *server) exportSecrets(w http.ResponseWriter, r *request) error {
	if r.query.Get("_passphrase") != "" {
		return notYet("Exporting secrets under a passphrase")
	}
	metadata, err := r.queryFlag("_include_metadata", false)
	if err != nil {
		return err
	}
	q, err := s.listing(r, secretList)
	if err != nil {
		return err
	}
	if err := exportedShape.check(q.include); err != nil {
		return err
	}
	include := q.include
	if len(include) == 0 && !metadata {
		include = withoutMetadata
	}
	items := []any{}
	err = each(r.Context(), q.Query, s.Store.ListSecrets, func(x store.Secret) error {
		if !r.caller.MayReadSecret(x) {
			return nil
		}
		full, err := s.Store.GetSecret(r.Context(), x.Tenant, x.Key) // lists may come without the sealed value
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		plain, err := s.Access.SecretText(full)
		if err != nil {
			return err
		}
		items = append(items, exportedShape.encode(exported{full, plain}, include))
		return nil
	})
	if err != nil {
		return err
	}
	return ok(w, items)
}

// importSecrets takes in what exportSecrets gave. What can't be taken is
// reported, by its place in the list, and the rest is.
func (s *server) importSecrets(w http.ResponseWriter, r *request) error {
	if r.has("passphrase") {
		return notYet("Importing secrets under a passphrase")
	}
	collisions, failures := map[string][]any{}, object{}
	for i, item := range r.list("secrets_list") {
		m, isMap := item.(map[string]any)
		if !isMap {
			failures[strconv.Itoa(i)] = object{"secret": wrongType("secret", dict, item).Error()}
			continue
		}
		collided, tenant, err := s.importSecret(r, m)
		switch {
		case err != nil && answerTo(err).hidden:
			return err
		case err != nil:
			failures[strconv.Itoa(i)] = object{"secret": answerTo(err).message}
		case collided:
			collisions[tenant] = append(collisions[tenant], textOf(m["key"]))
		}
	}
	return ok(w, object{"colliding_secrets": typed(collisions), "secrets_errors": failures})
}

// importSecret takes in one secret. It tells whether there was one of that
// name, which is replaced only if the request says so.
func (s *server) importSecret(r *request, m map[string]any) (collided bool, tenant string, err error) {
	if err := checkBody(m, fields("key* value* tenant_name* visibility is_hidden_value:boolean encrypted:boolean schema:object provider creator created_at")); err != nil {
		return false, "", err
	}
	one := *r
	one.body = m
	tenant = one.str("tenant_name")
	if mapped, given := r.dict("tenant_map")[tenant].(string); given {
		tenant = mapped
	}
	one.tenant = tenant
	if one.flag("encrypted") {
		return false, tenant, badParameter("The value of %s is encrypted, and no passphrase was given", one.str("key"))
	}
	if one.has("provider") {
		return false, tenant, notYet("A secrets provider")
	}
	if _, err := s.Access.FindTenant(r.Context(), tenant); err != nil {
		return false, tenant, err
	}
	if err := one.need("secret_import"); err != nil {
		return false, tenant, err
	}
	x := store.Secret{
		Owned: store.Owned{Tenant: tenant, CreatedBy: r.caller.Username, CreatedAt: s.Now()},
		Key:   one.str("key"), IsHidden: one.flag("is_hidden_value"), Schema: one.dict("schema"), UpdatedAt: s.Now(),
	}
	if err := access.CheckName("key", x.Key, true); err != nil {
		return false, tenant, err
	}
	if x.Visibility, err = one.visibility(); err != nil {
		return false, tenant, err
	}
	if creator := one.str("creator"); creator != "" && one.caller.Can(tenant, "set_owner") {
		x.CreatedBy = creator
	}
	if at := one.str("created_at"); at != "" && one.caller.Can(tenant, "set_timestamp") {
		if x.CreatedAt, err = parseTime("created_at", at); err != nil {
			return false, tenant, err
		}
	}
	if err := s.Access.SealSecret(&x, one.str("value")); err != nil {
		return false, tenant, err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		collided = false
		old, err := tx.GetSecret(r.Context(), tenant, x.Key)
		if errors.Is(err, store.ErrNotFound) {
			return tx.AddSecret(r.Context(), x)
		}
		if err != nil {
			return err
		}
		collided = true
		if !r.flag("override_collisions") || old.Tenant != tenant {
			return nil
		}
		if err := one.mayChangeSecret(old); err != nil {
			return err
		}
		return tx.UpdateSecret(r.Context(), x)
	})
	return collided, tenant, err
}
