package access

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed secret is, in this order:
//
//	magic        4 bytes "WSE1"
//	key id       8 bytes, of the master key
//	wrap nonce  24 bytes
//	data key    48 bytes, sealed with the master key
//	nonce       24 bytes
//	value       sealed with the data key
//
// Both seals are XChaCha20-Poly1305. Tenant and name of the secret are their
// associated data, so that a row copied over another does not open.
const (
	sealMagic  = "WSE1"
	nonceBytes = chacha20poly1305.NonceSizeX
	wrapBytes  = keyBytes + chacha20poly1305.Overhead
	headBytes  = len(sealMagic) + keyIDBytes + nonceBytes + wrapBytes
)

func associated(tenant, name string) []byte {
	b := []byte(sealMagic)
	for _, s := range []string{tenant, name} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// seal encrypts the value of a secret under a key of its own.
func (k *Keyring) seal(rand io.Reader, tenant, name string, plain []byte) ([]byte, error) {
	var random [nonceBytes + keyBytes + nonceBytes]byte
	if _, err := io.ReadFull(rand, random[:]); err != nil {
		return nil, fmt.Errorf("make a key for the secret: %w", err)
	}
	wrapNonce, dataKey, nonce := random[:nonceBytes], random[nonceBytes:nonceBytes+keyBytes], random[nonceBytes+keyBytes:]
	out, err := k.wrap(wrapNonce, dataKey, associated(tenant, name))
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(dataKey)
	if err != nil {
		return nil, err
	}
	out = append(out, nonce...)
	return aead.Seal(out, nonce, plain, associated(tenant, name)), nil
}

// wrap writes the head of a sealed secret.
func (k *Keyring) wrap(nonce, dataKey, ad []byte) ([]byte, error) {
	master := k.current()
	aead, err := chacha20poly1305.NewX(master.key[:])
	if err != nil {
		return nil, err
	}
	out := append([]byte(sealMagic), master.id[:]...)
	out = append(out, nonce...)
	return aead.Seal(out, nonce, dataKey, ad), nil
}

var errSealed = errors.New("the stored secret does not open: it was damaged or belongs to another name")

// unwrap gives the data key of a sealed secret.
func (k *Keyring) unwrap(sealed, ad []byte) ([]byte, error) {
	if len(sealed) < headBytes+nonceBytes || !bytes.HasPrefix(sealed, []byte(sealMagic)) {
		return nil, errSealed
	}
	rest := sealed[len(sealMagic):]
	id := keyID(rest[:keyIDBytes])
	master, ok := k.find(id)
	if !ok {
		return nil, fmt.Errorf("the secret was sealed with the master key %x, which is not in the keyring", id)
	}
	aead, err := chacha20poly1305.NewX(master.key[:])
	if err != nil {
		return nil, err
	}
	rest = rest[keyIDBytes:]
	dataKey, err := aead.Open(nil, rest[:nonceBytes], rest[nonceBytes:nonceBytes+wrapBytes], ad)
	if err != nil {
		return nil, errSealed
	}
	return dataKey, nil
}

// open decrypts the value of a secret.
func (k *Keyring) open(tenant, name string, sealed []byte) ([]byte, error) {
	ad := associated(tenant, name)
	dataKey, err := k.unwrap(sealed, ad)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(dataKey)
	if err != nil {
		return nil, err
	}
	body := sealed[headBytes:]
	plain, err := aead.Open(nil, body[:nonceBytes], body[nonceBytes:], ad)
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// rewrap seals the data key with the current master key; the value stays as it
// is. It returns nil if that is so already.
func (k *Keyring) rewrap(rand io.Reader, tenant, name string, sealed []byte) ([]byte, error) {
	ad := associated(tenant, name)
	dataKey, err := k.unwrap(sealed, ad)
	if err != nil {
		return nil, err
	}
	if keyID(sealed[len(sealMagic):len(sealMagic)+keyIDBytes]) == k.current().id {
		return nil, nil
	}
	nonce := make([]byte, nonceBytes)
	if _, err := io.ReadFull(rand, nonce); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	head, err := k.wrap(nonce, dataKey, ad)
	if err != nil {
		return nil, err
	}
	return append(head, sealed[headBytes:]...), nil
}
