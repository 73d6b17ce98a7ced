package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"windlass/internal/store"
)

func add(ctx context.Context, name string) func(tx store.Tx) error {
	return func(tx store.Tx) error { return tx.AddTenant(ctx, store.Tenant{Name: name}) }
}

func openHere(t *testing.T) *Store {
	t.Helper()
	s, err := open(t.Context(), filepath.Join(t.TempDir(), "windlass.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func tenants(t *testing.T, s *Store) []string {
	t.Helper()
	page, err := s.ListTenants(t.Context(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tenant := range page.Items {
		names = append(names, tenant.Name)
	}
	return names
}

// What a commit refuses is not there, and the next one is not hindered.
func TestRefusedCommit(t *testing.T) {
	t.Parallel()
	s := openHere(t)
	failure := s.Write(t.Context(), func(tx store.Tx) error {
		for _, statement := range []string{
			"PRAGMA defer_foreign_keys = ON", "INSERT INTO blob_chunks (hash, position, content) VALUES ('none', 0, x'00')",
		} {
			if err := s.writer.conn.do(statement); err != nil {
				return err
			}
		}
		return add(t.Context(), "lost")(tx)
	})
	if failure == nil {
		t.Fatal("the commit did not fail")
	}
	if err := s.Write(t.Context(), add(t.Context(), "after")); err != nil {
		t.Fatal(err)
	}
	if got := tenants(t, s); !slices.Equal(got, []string{"after"}) {
		t.Errorf("got %q", got)
	}
}

// A full disk refuses what doesn't fit, says so, and goes on when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := openHere(t)
	limit := func(pages string) {
		t.Helper()
		err := s.Write(t.Context(), func(store.Tx) error { return s.writer.conn.do("PRAGMA max_page_count = " + pages) })
		if err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // that is, as many as there are
	large := strings.Repeat("x", 1<<20)
	var writes sync.WaitGroup
	for range 8 { // many share a transaction
		writes.Go(func() {
			err := s.Write(t.Context(), add(t.Context(), large))
			if !errors.Is(err, store.ErrFull) || strings.Contains(err.Error(), "restarted") {
				t.Errorf("got error %v", err)
			}
		})
	}
	writes.Wait()
	if err := s.Write(t.Context(), func(store.Tx) error { return nil }); err != nil { // which writes nothing
		t.Fatal(err)
	}
	if met := s.Trouble(); !errors.Is(met.Err, store.ErrFull) || met.IsOver {
		t.Errorf("with a full disk the trouble is %+v", met)
	}
	limit("1000000")
	if err := s.Write(t.Context(), add(t.Context(), "after")); err != nil {
		t.Fatal(err)
	}
	if met := s.Trouble(); !errors.Is(met.Err, store.ErrFull) || !met.IsOver {
		t.Errorf("with room again the trouble is %+v", met)
	}
	if got := tenants(t, s); !slices.Equal(got, []string{"after"}) {
		t.Errorf("got %q", got)
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
