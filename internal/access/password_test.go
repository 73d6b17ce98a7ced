package access

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"
)

// cheap makes hashes that take no time, for tests.
var cheap = PasswordCost{Memory: 8, Passes: 1, Threads: 1}

func TestHashVerifies(t *testing.T) {
	t.Parallel()
	h := newHasher(cheap, 2, rand.Reader)
	stored, err := h.hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=8,t=1,p=1$") {
		t.Errorf("the parameters are not in the hash: %s", stored)
	}
	again, err := h.hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if again == stored {
		t.Error("two hashes of one password are equal: no salt")
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horsE": false, "": false} {
		// The cost comes from the stored hash, not from the hasher.
		got, err := newHasher(DefaultCost, 1, rand.Reader).verify(t.Context(), password, stored)
		if err != nil || got != want {
			t.Errorf("verify(%q) = %t, %v, want %t", password, got, err, want)
		}
	}
}

func TestVerifyRefusesForeignHashes(t *testing.T) {
	t.Parallel()
	h := newHasher(cheap, 1, rand.Reader)
	for _, stored := range []string{
		"", "plain", "$2y$10$abcdefghijklmnopqrstuv", "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$c3Vtc3Vtc3Vtc3Vtc3Vt",
		"$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHQ$c3Vtc3Vtc3Vtc3Vtc3Vtc3Vt", // would eat all memory
		"$argon2id$v=19$m=8,t=1,p=0$c2FsdHNhbHQ$c3Vtc3Vtc3Vtc3Vtc3Vtc3Vt",
		"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$!!",
	} {
		if ok, err := h.verify(t.Context(), "x", stored); ok || err == nil {
			t.Errorf("verify against %q = %t, %v, want an error", stored, ok, err)
		}
	}
}

func TestHashesAreBounded(t *testing.T) {
	t.Parallel()
	h := newHasher(cheap, 1, rand.Reader)
	leave, err := h.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.hash(ctx, "waits"); err == nil {
		t.Error("a second hash ran beside the first, with room for one")
	}
	leave()
	if _, err := h.hash(t.Context(), "goes"); err != nil {
		t.Errorf("after the first had left: %v", err)
	}
}

func TestVerifiedCache(t *testing.T) {
	t.Parallel()
	c, err := newVerifiedCache(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c.add("ann", "secret", "hash1", now)
	for _, tt := range []struct {
		name, user, password, stored string
		at                           time.Time
		want                         bool
	}{
		{"same", "ann", "secret", "hash1", now, true},
		{"other user", "bob", "secret", "hash1", now, false},
		{"other password", "ann", "Secret", "hash1", now, false},
		{"password was changed", "ann", "secret", "hash2", now, false},
		{"boundary moved", "anns", "ecret", "hash1", now, false},
		{"still fresh", "ann", "secret", "hash1", now.Add(verifiedFor - time.Second), true},
		{"too old", "ann", "secret", "hash1", now.Add(verifiedFor), false},
	} {
		if got := c.has(tt.user, tt.password, tt.stored, tt.at); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
	}
	for i := range 2 * verifiedMax {
		c.add("user", string(rune(i)), "hash", now)
	}
	if len(c.expires) > verifiedMax {
		t.Errorf("the cache grew to %d entries", len(c.expires))
	}
}

func BenchmarkVerified(b *testing.B) {
	c, err := newVerifiedCache(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	c.add("admin", "password", "$argon2id$...", now)
	for b.Loop() {
		if !c.has("admin", "password", "$argon2id$...", now) {
			b.Fatal("forgotten")
		}
	}
}
