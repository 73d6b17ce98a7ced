package postgres_test

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"windlass/internal/store"
	"windlass/internal/store/postgres"
	"windlass/internal/store/storetest"
)

// fresh makes a database of its own for one test.
func fresh(t *testing.T) storetest.Opener {
	address := database(t)
	return func(ctx context.Context) (store.Store, error) { return postgres.Open(ctx, address) }
}

// server is the URL of a server where tests may create databases.
func server(t testing.TB) *url.URL {
	t.Helper()
	address := os.Getenv("WINDLASS_TEST_POSTGRES")
	if address == "" {
		t.Skip("NOT TESTED: there is no PostgreSQL server. Run `make test`, which starts one and sets WINDLASS_TEST_POSTGRES.")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func database(t testing.TB) string {
	t.Helper()
	u := server(t)
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	administer(t, u, "CREATE DATABASE "+name)
	t.Cleanup(func() { administer(t, u, "DROP DATABASE "+name) }) // fails if a connection is left open
	mine := *u
	mine.Path = "/" + name
	return mine.String()
}

func administer(t testing.TB, u *url.URL, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // also runs when the test's context has ended
	defer cancel()
	c, err := pgx.Connect(ctx, u.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, statement); err != nil {
		t.Error(err)
	}
	if err := c.Close(ctx); err != nil {
		t.Error(err)
	}
}

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
	administer(t, u, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN windlass'")
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
