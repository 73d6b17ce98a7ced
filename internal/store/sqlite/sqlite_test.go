package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"windlass/internal/store"
	"windlass/internal/store/sqlite"
	"windlass/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if maybeHelp() {
		return
	}
	goleak.VerifyTestMain(m)
}

func fresh(t *testing.T) storetest.Opener {
	path := filepath.Join(t.TempDir(), "windlass.db")
	return func(ctx context.Context) (store.Store, error) { return sqlite.Open(ctx, path) }
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, fresh)
}
