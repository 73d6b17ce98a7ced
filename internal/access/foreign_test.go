package access

import (
	"crypto/rand"
	"strings"
	"testing"
)

func TestForeignKeys(t *testing.T) {
	t.Parallel()
	of := func(digits string) *Service {
		var lines []string
		for _, d := range digits {
			lines = append(lines, strings.Repeat(string(d), 64))
		}
		keys, err := NewKeyring(strings.Join(lines, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		return &Service{keys: keys, rand: rand.Reader}
	}
	old, rotated, fresh := of("1"), of("21"), of("3")
	secret, err := old.keys.seal(rand.Reader, "t", "n", []byte("word"))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := rotated.SealKeys()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.OpenKeys(kept); err == nil {
		t.Error("sealed keys open with others")
	}
	text, err := rotated.OpenKeys(kept)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := fresh.SealForeignKeys(text); err != nil {
		t.Error(err)
	} else if got, err := fresh.OpenKeys(again); err != nil || got != text {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := fresh.SealForeignKeys("no keys"); err == nil {
		t.Error("what are no keys was sealed as such")
	}
	if _, err := fresh.Reseal("", "t", "n", secret); err == nil || !strings.Contains(err.Error(), "not in the keyring") {
		t.Errorf("resealed without the key: %v", err)
	}
	if _, err := fresh.Reseal(text, "t", "other", secret); err == nil {
		t.Error("a secret opened under another name")
	}
	mine, err := fresh.Reseal(text, "t", "n", secret)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := fresh.keys.open("t", "n", mine); err != nil || string(plain) != "word" {
		t.Errorf("got %q, %v", plain, err)
	}
	if same, err := fresh.Reseal("", "t", "n", mine); err != nil || string(same) != string(mine) {
		t.Errorf("one's own secret was changed: %v", err)
	}
}
