package access

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	firstKey  = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	secondKey = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
)

func ring(t *testing.T, keys ...string) *Keyring {
	t.Helper()
	k, err := NewKeyring(strings.Join(keys, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealOpens(t *testing.T) {
	t.Parallel()
	k := ring(t, firstKey)
	for _, plain := range []string{"", "s3cret", strings.Repeat("long", 10000), "\x00ü"} {
		sealed, err := k.seal(rand.Reader, "t1", "db", []byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		if plain != "" && bytes.Contains(sealed, []byte(plain)) {
			t.Error("the sealed secret shows its value")
		}
		got, err := k.open("t1", "db", sealed)
		if err != nil || string(got) != plain {
			t.Errorf("open = %q, %v, want %q", got, err, plain)
		}
	}
}

func TestSealedRowsCannotBeSwapped(t *testing.T) {
	t.Parallel()
	k := ring(t, firstKey)
	sealed, err := k.seal(rand.Reader, "t1", "db", []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range [][2]string{{"t2", "db"}, {"t1", "dc"}, {"t1d", "b"}, {"", "t1db"}} {
		if _, err := k.open(other[0], other[1], sealed); err == nil {
			t.Errorf("the secret opened as %q of tenant %q", other[1], other[0])
		}
	}
	for i := range sealed {
		bent := bytes.Clone(sealed)
		bent[i] ^= 1
		if _, err := k.open("t1", "db", bent); err == nil {
			t.Errorf("it opened with byte %d changed", i)
		}
	}
	for n := range len(sealed) {
		if _, err := k.open("t1", "db", sealed[:n]); err == nil {
			t.Errorf("it opened cut to %d bytes", n)
		}
	}
}

func TestRewrap(t *testing.T) {
	t.Parallel()
	old := ring(t, firstKey)
	sealed, err := old.seal(rand.Reader, "t1", "db", []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	both := ring(t, "# new first", secondKey, "", firstKey)
	moved, err := both.rewrap(rand.Reader, "t1", "db", sealed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ring(t, secondKey).open("t1", "db", moved); err != nil || string(got) != "v" {
		t.Errorf("with the new key alone: %q, %v", got, err)
	}
	if _, err := old.open("t1", "db", moved); err == nil {
		t.Error("the old key still opens it")
	}
	if again, err := both.rewrap(rand.Reader, "t1", "db", moved); again != nil || err != nil {
		t.Errorf("rewrapping twice changed it: %v, %v", again, err)
	}
}

func TestOpenKeyring(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	made, err := OpenKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	again, err := OpenKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	if made.current() != again.current() {
		t.Error("the second start has another key")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeyring(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that all may read: %v", err)
	}
}

func TestNewKeyringRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing", "abc", firstKey + "00", firstKey + "\nzz"} {
		if _, err := NewKeyring(text); err == nil {
			t.Errorf("NewKeyring(%q) gave no error", text)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k, err := NewKeyring(firstKey)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := k.seal(rand.Reader, "t", "n", []byte("value"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add(sealed[:40])
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, err := k.open("t", "n", data); err == nil && string(got) != "value" {
			t.Errorf("made-up data opened as %q", got)
		}
	})
}
