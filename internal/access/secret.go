package access

import (
	"context"
	"fmt"

	"windlass/internal/store"
	"windlass/internal/value"
)

// Secret opens a secret of the tenant, or a global one, for the evaluation of
// functions. A secret with a schema gives the value it describes, any other
// its text. It gives store.ErrNotFound (wrapped) if there is none.
func (s *Service) Secret(ctx context.Context, tenant, key string) (any, error) {
	sec, err := s.store.GetSecret(ctx, tenant, key)
	if err != nil {
		return nil, err
	}
	return s.OpenSecret(sec)
}

// OpenSecret decrypts a secret that was read; see Secret.
func (s *Service) OpenSecret(sec store.Secret) (any, error) {
	text, err := s.SecretText(sec)
	if err != nil || sec.Schema == nil {
		return text, err
	}
	v, err := value.Decode([]byte(text))
	if err != nil { // a string schema: the text itself is the value
		return text, nil
	}
	return v, nil
}

// SecretText decrypts a secret that was read to the text that was stored.
func (s *Service) SecretText(sec store.Secret) (string, error) {
	plain, err := s.keys.open(sec.Tenant, sec.Key, sec.Sealed)
	if err != nil {
		return "", fmt.Errorf("open secret %q of tenant %q: %w", sec.Key, sec.Tenant, err)
	}
	return string(plain), nil
}

// SealSecret encrypts the text and puts it into the secret, whose tenant and
// key must be set.
func (s *Service) SealSecret(sec *store.Secret, text string) error {
	sealed, err := s.keys.seal(s.rand, sec.Tenant, sec.Key, []byte(text))
	if err != nil {
		return fmt.Errorf("seal secret %q: %w", sec.Key, err)
	}
	sec.Sealed = sealed
	return nil
}

// MayReadSecret tells whether the caller, working in the tenant, may read the
// value: hidden ones are for their creators, tenant managers and admins.
func (c *Caller) MayReadSecret(sec store.Secret) bool {
	return !sec.IsHidden || sec.CreatedBy == c.Username || c.SeesPrivate(sec.Tenant)
}

// RewrapSecrets seals the keys of all secrets with the first master key of the
// keyring and returns how many it changed. After it, older keys can go.
func (s *Service) RewrapSecrets(ctx context.Context) (int, error) {
	changed := 0
	err := s.store.Write(ctx, func(tx store.Tx) error {
		changed = 0
		page, err := tx.ListSecrets(ctx, store.Query{Full: true})
		if err != nil {
			return err
		}
		for _, sec := range page.Items {
			sealed, err := s.keys.rewrap(s.rand, sec.Tenant, sec.Key, sec.Sealed)
			if err != nil {
				return fmt.Errorf("secret %q of tenant %q: %w", sec.Key, sec.Tenant, err)
			}
			if sealed == nil {
				continue
			}
			sec.Sealed = sealed
			if err := tx.UpdateSecret(ctx, sec); err != nil {
				return err
			}
			changed++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("rewrap the secrets: %w", err)
	}
	return changed, nil
}
