package storetest

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// PostgresServer is the URL of a server where tests may create databases. It
// skips the test if there is none.
func PostgresServer(t testing.TB) *url.URL {
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

// PostgresDatabase makes an empty database and returns its URL. It goes with
// the test, which fails if a connection is left open.
func PostgresDatabase(t testing.TB) string {
	t.Helper()
	u := PostgresServer(t)
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	Administer(t, u, "CREATE DATABASE "+name)
	t.Cleanup(func() { Administer(t, u, "DROP DATABASE "+name) })
	mine := *u
	mine.Path = "/" + name
	return mine.String()
}

// Administer runs a statement on a database.
func Administer(t testing.TB, u *url.URL, statement string) {
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
