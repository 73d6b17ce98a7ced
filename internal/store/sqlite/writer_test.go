package sqlite

import (
	"path/filepath"
	"testing"

	"windlass/internal/store"
)

// After a failed commit nobody knows what is on the disk.
func TestFailedCommitEndsWriting(t *testing.T) {
	t.Parallel()
	s, err := open(t.Context(), filepath.Join(t.TempDir(), "windlass.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	add := func(name string) func(tx store.Tx) error {
		return func(tx store.Tx) error { return tx.AddTenant(t.Context(), store.Tenant{Name: name}) }
	}
	if err := s.Write(t.Context(), add("before")); err != nil {
		t.Fatal(err)
	}
	failure := s.Write(t.Context(), func(tx store.Tx) error {
		for _, statement := range []string{
			"PRAGMA defer_foreign_keys = ON", "INSERT INTO blob_chunks (hash, position, content) VALUES ('none', 0, x'00')",
		} {
			if err := s.writer.conn.do(statement); err != nil {
				return err
			}
		}
		return add("lost")(tx)
	})
	if failure == nil {
		t.Fatal("the commit did not fail")
	}
	for range 3 {
		if err := s.Write(t.Context(), add("after")); err == nil || err.Error() != failure.Error() {
			t.Fatalf("got error %v, want %v", err, failure)
		}
	}
	page, err := s.ListTenants(t.Context(), store.Query{})
	if err != nil || page.Total != 1 || page.Items[0].Name != "before" {
		t.Fatalf("got %+v, error %v", page, err)
	}
}

// A test helper that gives up inside of a write must not hang the rest.
func TestGoexitInAWriteEndsWriting(t *testing.T) {
	t.Parallel()
	s, err := open(t.Context(), filepath.Join(t.TempDir(), "windlass.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("giving up", func(t *testing.T) {
		if err := s.Write(t.Context(), func(store.Tx) error { t.SkipNow(); return nil }); err == nil {
			t.Error("the write has succeeded")
		}
	})
	if err := s.Write(t.Context(), func(store.Tx) error { return nil }); err == nil {
		t.Error("writes go on without their goroutine")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
