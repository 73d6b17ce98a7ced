package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"windlass/internal/store/postgres"
	"windlass/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, fresh)
}

func TestSharedStore(t *testing.T) {
	t.Parallel()
	storetest.RunShared(t, fresh)
}

func TestExportsAreComplete(t *testing.T) {
	t.Parallel()
	address := database(t)
	st, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	tables := st.Tables()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	rows, err := c.Query(t.Context(), "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'")
	if err != nil {
		t.Fatal(err)
	}
	schema := map[string][]string{}
	var table, column string
	if _, err := pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		schema[table] = append(schema[table], column)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	storetest.CheckTables(t, schema, tables)
}
