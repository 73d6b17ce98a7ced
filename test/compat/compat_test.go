// Package compat runs the original's own client library, unmodified, against
// the real binary, and then the framework's client in its place.
package compat

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

func TestOriginalClient(t *testing.T) {
	t.Parallel()
	python := os.Getenv("WINDLASS_TEST_PYTHON")
	if python == "" {
		t.Skip("WINDLASS_TEST_PYTHON is not set: run `make test`")
	}
	runClient(t, python)
}

// The framework's client does all that, too, with the standard library alone.
func TestOwnClient(t *testing.T) {
	t.Parallel()
	own, err := filepath.Abs("../../python/client")
	if err != nil {
		t.Fatal(err)
	}
	runClient(t, "python3", "PYTHONPATH="+own)
}

func runClient(t *testing.T, python string, env ...string) {
	t.Helper()
	cfy := os.Getenv("WINDLASS_TEST_CFY")
	if cfy == "" {
		t.Skip("WINDLASS_TEST_CFY is not set: run `make test`")
	}
	home := t.TempDir()
	address, password := startManager(t, cfy, home)
	script := exec.CommandContext(t.Context(), python, "../client_compat.py")
	script.Env = append(os.Environ(), "WINDLASS_USER=admin", "WINDLASS_PASSWORD="+password, "WINDLASS_URL=http://"+address)
	script.Env = append(script.Env, env...)
	out, err := script.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

var passwordLine = regexp.MustCompile(`(?m)[Pp]assword:?\s+(\S+)\s*$`)

// startManager starts a manager with an empty data directory and returns its
// address and the admin's password, which the first start prints.
func startManager(t *testing.T, cfy, home string) (address, password string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	logFile := filepath.Join(home, "log")
	log, err := os.Create(logFile)
	if err != nil {
		t.Fatal(err)
	}
	manager := exec.Command(cfy, "manager", "start", "--data-dir", filepath.Join(home, "data"), "--listen", address)
	manager.Env = append(os.Environ(), "CFY_HOME="+filepath.Join(home, "client"))
	manager.Stdout, manager.Stderr = log, log
	if err := manager.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = manager.Process.Signal(os.Interrupt)
		_ = manager.Wait()
		_ = log.Close()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/v3.1/ok", nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			break
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(logFile)
			t.Fatalf("the manager did not come up:\n%s", text)
		case <-tick.C:
		}
	}
	text, err := os.ReadFile(logFile)
	if err != nil {
		t.Fatal(err)
	}
	found := passwordLine.FindSubmatch(text)
	if found == nil {
		t.Fatalf("the first start printed no password:\n%s", text)
	}
	return address, string(found[1])
}
