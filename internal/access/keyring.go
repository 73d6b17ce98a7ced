package access

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	keyBytes   = 32
	keyIDBytes = 8
)

type keyID [keyIDBytes]byte

type masterKey struct {
	id  keyID
	key [keyBytes]byte
}

// Keyring holds the master keys that wrap the keys of secrets. The first one
// seals; all of them open, so that a new first key can be put in front of old
// ones (see Service.RewrapSecrets).
type Keyring struct {
	keys []masterKey
}

// NewKeyring makes a keyring of master keys, each of 32 bytes in hexadecimal,
// the current one first. Blank lines and lines that start with # are skipped.
func NewKeyring(text string) (*Keyring, error) {
	k := &Keyring{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		raw, err := hex.DecodeString(line)
		if err != nil || len(raw) != keyBytes {
			return nil, fmt.Errorf("master key in line %d: want %d hexadecimal digits", n, 2*keyBytes)
		}
		var m masterKey
		copy(m.key[:], raw)
		sum := sha256.Sum256(append([]byte("windlass master key id\x00"), raw...))
		copy(m.id[:], sum[:])
		k.keys = append(k.keys, m)
	}
	if len(k.keys) == 0 {
		return nil, errors.New("no master key given")
	}
	return k, nil
}

// OpenKeyring reads the keyring file, and makes one with a new key if there is
// none. The file must be readable by its owner only.
func OpenKeyring(path string) (*Keyring, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKeyring(path); err != nil {
			return nil, fmt.Errorf("make the master key: %w", err)
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("find the master key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("others may read the master key: %s has mode %#o, run chmod 600 on it", path, mode)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the master key: %w", err)
	}
	k, err := NewKeyring(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// makeKeyring writes a new key so that the file is whole or absent, and never
// replaces one: without it the secrets are lost.
func makeKeyring(path string) error {
	var key [keyBytes]byte
	if _, err := rand.Read(key[:]); err != nil {
		return err
	}
	var text bytes.Buffer
	text.WriteString("# Opens the secrets of this manager. Keep a copy apart from the database.\n")
	fmt.Fprintf(&text, "%x\n", key)

	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text.Bytes())
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (k *Keyring) current() masterKey { return k.keys[0] }

func (k *Keyring) find(id keyID) (masterKey, bool) {
	for _, m := range k.keys {
		if m.id == id {
			return m, true
		}
	}
	return masterKey{}, false
}
