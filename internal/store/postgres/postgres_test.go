package postgres_test

import (
	"testing"

	"go.uber.org/goleak"

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
