package postgres_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"windlass/internal/store"
	"windlass/internal/store/postgres"
	"windlass/internal/store/storetest"
)

// fresh makes a database of its own for one test.
func fresh(t *testing.T) storetest.Opener {
	address := database(t)
	return func(ctx context.Context) (store.Store, error) { return postgres.Open(ctx, address) }
}

func database(t testing.TB) string { return storetest.PostgresDatabase(t) }

func TestListenerConnectsAgain(t *testing.T) {
	t.Parallel()
	address := database(t)
	one, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := one.Close(); err != nil {
			t.Error(err)
		}
	}()
	wake, stop := one.Subscribe("topic")
	defer stop()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	// The end of its connection makes the listener connect again and wake
	// everybody, for it may have missed something.
	storetest.Administer(t, u, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN windlass'")
	select {
	case <-wake:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was woken after the connection was lost")
	}
	two, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if err := two.Write(t.Context(), func(tx store.Tx) error { tx.Notify("topic"); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-wake:
	case <-time.After(20 * time.Second):
		t.Fatal("the new connection hears nothing")
	}
}

func TestErrorsLeaveThePasswordOut(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"postgres://windlass:hunter2@127.0.0.1:1/none?sslmode=disable", "postgres://windlass:hunter2@127.0.0.1:port/none",
	} {
		_, err := postgres.Open(t.Context(), address)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got error %v", err)
		}
	}
}

// A server that takes no writes, such as a stand-by, and one that is gone, are
// told of until one goes through again.
func TestTrouble(t *testing.T) {
	t.Parallel()
	address := database(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	st, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	add := func(name string) error {
		return st.Write(t.Context(), func(tx store.Tx) error { return tx.AddTenant(t.Context(), store.Tenant{Name: name}) })
	}
	trouble := func() store.Trouble { return st.(store.Reporter).Trouble() }
	if err := add("one"); err != nil || trouble().Err != nil {
		t.Fatalf("error %v, trouble %+v", err, trouble())
	}
	if err := add("one"); err == nil || trouble().Err != nil {
		t.Errorf("a tenant that there is: error %v, trouble %+v", err, trouble())
	}
	readOnly := func(word string) {
		t.Helper()
		storetest.Administer(t, u, "BEGIN READ WRITE; ALTER DATABASE "+u.Path[1:]+" SET default_transaction_read_only = "+word+"; COMMIT")
		storetest.Administer(t, u, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	}
	readOnly("on")
	for range 20 { // the first ones may find a connection that is gone
		if err = add("two"); err != nil && strings.Contains(err.Error(), "read-only") {
			break
		}
	}
	if met := trouble(); met.Err == nil || met.IsOver || !strings.Contains(met.Err.Error(), "read-only") {
		t.Errorf("on a server that can only be read: error %v, trouble %+v", err, met)
	}
	readOnly("off")
	for range 20 {
		if err = add("two"); err == nil {
			break
		}
	}
	if met := trouble(); err != nil || met.Err == nil || !met.IsOver {
		t.Errorf("afterwards: error %v, trouble %+v", err, met)
	}
}
