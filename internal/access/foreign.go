package access

import (
	"errors"
	"fmt"
	"strings"
)

// keysOwner and keysName stand for the keyring itself where it is sealed.
const (
	keysOwner = "\x00manager"
	keysName  = "master keys"
)

// text writes the keys as NewKeyring reads them.
func (k *Keyring) text() string {
	var b strings.Builder
	for _, m := range k.keys {
		fmt.Fprintf(&b, "%x\n", m.key)
	}
	return b.String()
}

// SealKeys gives the master keys in a form that only they open, to be kept
// where secrets are.
func (s *Service) SealKeys() ([]byte, error) {
	return s.sealText(s.keys.text())
}

// SealForeignKeys seals the master keys of another manager, written as
// NewKeyring reads them; it gives an error for anything else.
func (s *Service) SealForeignKeys(text string) ([]byte, error) {
	if _, err := NewKeyring(text); err != nil {
		return nil, err
	}
	return s.sealText(text)
}

func (s *Service) sealText(text string) ([]byte, error) {
	sealed, err := s.keys.seal(s.rand, keysOwner, keysName, []byte(text))
	if err != nil {
		return nil, fmt.Errorf("seal master keys: %w", err)
	}
	return sealed, nil
}

// OpenKeys gives back what SealKeys and SealForeignKeys sealed.
func (s *Service) OpenKeys(sealed []byte) (string, error) {
	text, err := s.keys.open(keysOwner, keysName, sealed)
	if err != nil {
		return "", fmt.Errorf("open master keys: %w", err)
	}
	return string(text), nil
}

// Reseal makes a sealed secret one of this manager: its own master key seals
// it, whichever did before. foreign are the keys of another manager, or "".
func (s *Service) Reseal(foreign, tenant, name string, sealed []byte) ([]byte, error) {
	if s.keys == nil {
		return nil, errors.New("there is no keyring")
	}
	both := s.keys.text() + foreign // the own one seals, being the first
	keys, err := NewKeyring(both)
	if err != nil {
		return nil, err
	}
	if _, err := keys.open(tenant, name, sealed); err != nil {
		return nil, err
	}
	again, err := keys.rewrap(s.rand, tenant, name, sealed)
	if err != nil || again != nil {
		return again, err
	}
	return sealed, nil
}
