package rest

import (
	"errors"
	"net/http"
	"slices"

	"windlass/internal/access"
	"windlass/internal/store"
	"windlass/internal/value"
)

// secret is a stored secret with the value that is to be shown.
type secret struct {
	store.Secret
	value any
}

var secretShape = shape[secret]{name: "Secret", fields: append([]field[secret]{
	{"key", text, func(x secret) any { return x.Key }},
	{"value", any_, func(x secret) any { return x.value }},
	{"created_at", moment, func(x secret) any { return date(x.CreatedAt) }},
	{"updated_at", moment, func(x secret) any { return date(x.UpdatedAt) }},
	{"is_hidden_value", boolean, func(x secret) any { return x.IsHidden }},
	{"schema", dict, func(x secret) any { return mapOrNull(x.Schema) }},
	{"provider_name", text, func(x secret) any { return orNull(x.ProviderName) }},
	{"provider_options", dict, func(x secret) any { return mapOrNull(x.ProviderOptions) }},
}, ownedFields(func(x secret) store.Owned { return x.Owned })...)}

// listedSecretShape is a secret in a list: without its value.
var listedSecretShape = shape[secret]{name: "ListedSecret", fields: slices.DeleteFunc(slices.Clone(secretShape.fields), func(f field[secret]) bool {
	return f.name == "value"
})}

var secretList = listed{
	filters: []string{"key", "created_by", "tenant_name", "visibility", "is_hidden_value", "provider_name"}, booleans: []string{"is_hidden_value"},
	sorts: []string{"created_at", "updated_at"},
}

func (s *server) listSecrets(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, secretList)
	if err != nil {
		return err
	}
	return s.replySecrets(w, r, q, nil)
}

func (s *server) replySecrets(w http.ResponseWriter, r *request, q listing, rules []rule) error {
	page, filtered, err := filtering(r.Context(), q, rules, s.Store.ListSecrets, func(store.Secret) []store.Label { return nil })
	if err != nil {
		return err
	}
	out := mapPage(page, func(x store.Secret) secret { return secret{Secret: x} })
	return replyFiltered(w, q, listedSecretShape, out, filtered)
}

// findSecret reads the secret that the path names, if the caller sees it.
func (s *server) findSecret(r *request) (store.Secret, error) {
	key := r.PathValue("key")
	x, err := s.Store.GetSecret(r.Context(), r.tenant, key)
	if err != nil {
		return x, err
	}
	return x, r.sees(x.Owned, "Secret", key)
}

func (s *server) getSecret(w http.ResponseWriter, r *request) error {
	skip, err := r.queryFlag("_skip_value", false)
	if err != nil {
		return err
	}
	x, err := s.findSecret(r)
	if err != nil {
		return err
	}
	out := secret{Secret: x, value: ""}
	if !skip && r.caller.MayReadSecret(x) {
		if out.value, err = s.Access.OpenSecret(x); err != nil {
			return err
		}
	}
	return replyOne(w, r, http.StatusOK, secretShape, out)
}

func (s *server) putSecret(w http.ResponseWriter, r *request) error {
	key := r.PathValue("key")
	if err := access.CheckName("key", key, true); err != nil {
		return err
	}
	v, err := r.visibility()
	if err != nil {
		return err
	}
	now := s.Now()
	x := store.Secret{
		Owned: store.Owned{Tenant: r.tenant, Visibility: v, CreatedBy: r.caller.Username, CreatedAt: now},
		Key:   key, IsHidden: r.flag("is_hidden_value"), UpdatedAt: now, Schema: r.dict("schema"),
	}
	if r.has("provider_name") {
		return notYet("A secrets provider")
	}
	plain, err := secretValue(r, x.Schema)
	if err != nil {
		return err
	}
	if err := s.Access.SealSecret(&x, plain); err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		old, err := tx.GetSecret(r.Context(), r.tenant, key)
		if errors.Is(err, store.ErrNotFound) {
			return tx.AddSecret(r.Context(), x)
		}
		if err != nil {
			return err
		}
		if !r.flag("update_if_exists") || old.Tenant != r.tenant {
			return fail("conflict_error", "<Secret id=`%s` tenant=`%s`> already exists on <Tenant name=`%s`> or with global visibility", key, old.Tenant, r.tenant)
		}
		if err := r.mayChangeSecret(old); err != nil {
			return err
		}
		if err := access.CheckWiden(key, old.Visibility, v); err != nil {
			return err
		}
		x.Owned = old.Owned
		x.Visibility = v
		return tx.UpdateSecret(r.Context(), x)
	})
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, secretShape, secret{Secret: x, value: ""})
}

// mayChangeSecret refuses changes to what the caller may not even read.
func (r *request) mayChangeSecret(x store.Secret) error {
	if err := r.caller.CheckChange(r.tenant, x.Owned, x.Key); err != nil {
		return err
	}
	if !r.caller.MayReadSecret(x) {
		return fail("forbidden_error", "User `%s` is not permitted to modify the hidden secret `%s`", r.caller.Username, x.Key)
	}
	return nil
}

// secretValue gives the text to store for the value in the body. With a schema
// the value may be any JSON that satisfies it.
func secretValue(r *request, schema map[string]any) (string, error) {
	v := r.body["value"]
	if schema == nil {
		plain, isText := v.(string)
		switch {
		case !isText:
			return "", wrongType("value", text, v)
		case plain == "":
			return "", badParameter("The `value` argument is empty")
		}
		return plain, nil
	}
	if plain, isText := v.(string); isText { // the command line sends JSON as text
		if decoded, err := value.Decode([]byte(plain)); err == nil {
			v = decoded
		}
	}
	if err := checkSchema(schema, v); err != nil {
		return "", err
	}
	if plain, isText := v.(string); isText {
		return plain, nil
	}
	return string(value.Encode(v)), nil
}

func (s *server) patchSecret(w http.ResponseWriter, r *request) error {
	if len(r.body) == 0 {
		return badParameter("Update a secret request must include at least one parameter to update")
	}
	if r.has("provider_name") {
		return notYet("A secrets provider")
	}
	return s.changeSecret(w, r, func(x *store.Secret) (err error) {
		if x.CreatedBy, err = r.owner("creator", x.CreatedBy); err != nil {
			return err
		}
		if r.has("is_hidden_value") {
			x.IsHidden = r.flag("is_hidden_value")
		}
		if r.has("visibility") {
			v, err := access.ParseVisibility(r.str("visibility"), false)
			if err != nil {
				return err
			}
			if err := r.widen(x.Key, x.Visibility, v); err != nil {
				return err
			}
			x.Visibility = v
		}
		if r.has("value") {
			plain, err := secretValue(r, x.Schema)
			if err != nil {
				return err
			}
			return s.Access.SealSecret(x, plain)
		}
		return nil
	})
}

func (s *server) setSecretVisibility(w http.ResponseWriter, r *request) error {
	v, err := r.newVisibility()
	if err != nil {
		return err
	}
	return s.changeSecret(w, r, func(x *store.Secret) error {
		if err := r.widen(x.Key, x.Visibility, v); err != nil {
			return err
		}
		x.Visibility = v
		return nil
	})
}

func (s *server) changeSecret(w http.ResponseWriter, r *request, change func(*store.Secret) error) error {
	x, err := s.findSecret(r)
	if err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if x, err = tx.GetSecret(r.Context(), x.Tenant, x.Key); err != nil {
			return err
		}
		if err := r.mayChangeSecret(x); err != nil {
			return err
		}
		if err := change(&x); err != nil {
			return err
		}
		x.UpdatedAt = s.Now()
		return tx.UpdateSecret(r.Context(), x)
	})
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, secretShape, secret{Secret: x, value: ""})
}

func (s *server) deleteSecret(w http.ResponseWriter, r *request) error {
	x, err := s.findSecret(r)
	if err != nil {
		return err
	}
	if err := r.mayChangeSecret(x); err != nil {
		return err
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error { return tx.DeleteSecret(r.Context(), x.Tenant, x.Key) }); err != nil {
		return err
	}
	return done(w)
}
