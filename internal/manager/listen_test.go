package manager

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// An address that is let go while a manager starts is taken; one that stays
// taken is refused.
func TestListenWaitsForAnAddress(t *testing.T) {
	t.Parallel()
	before, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := before.Addr().String()
	if _, err := listen(t.Context(), address); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("the address is taken, but: %v", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- before.Close() }()
	l, err := listen(t.Context(), address)
	if err = errors.Join(err, <-closed); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
