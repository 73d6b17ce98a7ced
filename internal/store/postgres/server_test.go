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
