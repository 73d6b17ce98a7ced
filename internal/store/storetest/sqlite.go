package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"windlass/internal/store/sqlite"
)

// template is an empty SQLite database of the newest schema, made once for all
// tests of a package: to migrate takes longer than most of them do.
var template = sync.OnceValues(func() (_ []byte, err error) {
	dir, err := os.MkdirTemp("", "template")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "template.db")
	st, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := st.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// SQLiteFile puts an empty SQLite database of the newest schema at path, which is
// opened much sooner than a new one. Call it outside of bubbles of synctest.
func SQLiteFile(t testing.TB, path string) string {
	t.Helper()
	data, err := template()
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
