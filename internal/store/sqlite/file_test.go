package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"windlass/internal/store"
	"windlass/internal/store/sqlite"
)

func open(t *testing.T, path string) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestSecondManagerIsKeptOff(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "windlass.db")
	first := open(t, path)
	_, err := sqlite.Open(t.Context(), path)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by another manager (process %d)", os.Getpid())) {
		t.Fatalf("got error %v, want one that names this process", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

func TestOpenRefusesWhatIsNoDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "windlass.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Join(dir, "none", "windlass.db")} {
		if _, err := sqlite.Open(t.Context(), p); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("got error %v, want one that names %s", err, p)
		}
	}
}

func TestPathsWithOddCharacters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?c#d%41&e.db")
	open(t, path)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
}

// A transaction of somebody else (a shell on the file) must delay writes, not
// fail them.
func TestWritesWaitForAForeignTransaction(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "windlass.db")
	s := open(t, path)
	foreign, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := foreign.Close(); err != nil {
			t.Error(err)
		}
	}()
	tx, err := foreign.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO tenants (name, created_at) VALUES ('foreign', 0)"); err != nil {
		t.Fatal(err)
	}
	var written sync.WaitGroup
	written.Go(func() {
		if err := s.Write(t.Context(), func(tx store.Tx) error { return tx.AddTenant(t.Context(), store.Tenant{Name: "a"}) }); err != nil {
			t.Error(err)
		}
	})
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	written.Wait()
	page, err := s.ListTenants(t.Context(), store.Query{})
	if err != nil || page.Total != 2 {
		t.Fatalf("got %d tenants, error %v", page.Total, err)
	}
}

// modernc.org/sqlite crashes with another libc than the one it names.
func TestLibcIsTheOneThatSQLiteWants(t *testing.T) {
	t.Parallel()
	list := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-m"}, args...)...).Output()
		if err != nil {
			t.Fatalf("go list -m %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	ours := list("-f", "{{.Version}}", "modernc.org/libc")
	data, err := os.ReadFile(list("-f", "{{.GoMod}}", "modernc.org/sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if words := strings.Fields(line); len(words) >= 2 && words[0] == "modernc.org/libc" {
			if words[1] != ours {
				t.Errorf("go.mod has modernc.org/libc %s, but modernc.org/sqlite wants %s", ours, words[1])
			}
			return
		}
	}
	t.Fatal("modernc.org/sqlite's go.mod names no libc")
}

// helpAt makes this test binary a writer of records into the database it names.
const helpAt = "WINDLASS_TEST_WRITE_RECORDS"

// breakAt makes it a writer whose disk breaks.
const breakAt = "WINDLASS_TEST_BREAK_DISK"

func maybeHelp() bool {
	for variable, help := range map[string]func(path string) error{helpAt: writeRecords, breakAt: writeToBrokenDisk} {
		if path := os.Getenv(variable); path != "" {
			if err := help(path); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return true
		}
	}
	return false
}

// writeToBrokenDisk has the system refuse to let files grow, and tells what
// becomes of writes then, and after.
func writeToBrokenDisk(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	add := func(name string) error {
		return s.Write(ctx, func(tx store.Tx) error { return tx.AddTenant(ctx, store.Tenant{Name: name}) })
	}
	if err := add("before"); err != nil {
		return err
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1, Max: before.Max}); err != nil {
		return err
	}
	first := add("lost")
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	second := add("after")
	if first == nil || second == nil || first.Error() != second.Error() {
		return fmt.Errorf("after %v came %v", first, second)
	}
	fmt.Println(first)
	return s.Close()
}

// When the disk fails in a commit nobody knows what is on it: nothing is written
// any more, until somebody starts again with what is really there.
func TestBrokenDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "windlass.db")
	helper := exec.CommandContext(t.Context(), os.Args[0])
	helper.Env = append(os.Environ(), breakAt+"="+path)
	out, err := helper.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "takes no more writes until the manager is restarted") {
		t.Fatalf("%v: %s", err, out)
	}
	s := open(t, path)
	page, err := s.ListTenants(t.Context(), store.Query{})
	if err != nil || page.Total != 1 || page.Items[0].Name != "before" {
		t.Errorf("got %+v, error %v", page, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// writeRecords adds tenants from several goroutines, and prints the name of
// each once it is acknowledged, until the process is killed.
func writeRecords(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	errs := make(chan error)
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if err := s.Write(ctx, func(tx store.Tx) error { return tx.AddTenant(ctx, store.Tenant{Name: name}) }); err != nil {
					errs <- err
					return
				}
				mu.Lock()
				fmt.Println(name)
				mu.Unlock()
			}
		}()
	}
	return <-errs
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "windlass.db")
	acknowledged := map[string]bool{}
	for round := range 5 {
		helper := exec.CommandContext(t.Context(), os.Args[0])
		helper.Env = append(os.Environ(), helpAt+"="+path)
		var complaints bytes.Buffer
		helper.Stderr = &complaints
		out, err := helper.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := helper.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		for n := 0; ; n++ {
			line, err := lines.ReadString('\n')
			if err == io.EOF { // a line that was cut off is not acknowledged
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			acknowledged[strings.TrimSuffix(line, "\n")] = true
			if n == 200+100*round {
				if err := helper.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := helper.Wait(); err == nil || complaints.Len() > 0 {
			t.Fatalf("the writer ended by itself: %v, %s", err, complaints.String())
		}
		s := open(t, path)
		page, err := s.ListTenants(t.Context(), store.Query{})
		if err != nil {
			t.Fatal(err)
		}
		kept := map[string]bool{}
		for _, tenant := range page.Items {
			kept[tenant.Name] = true
		}
		for name := range acknowledged {
			if !kept[name] {
				t.Errorf("round %d: %s was acknowledged and is lost", round, name)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		checkIntegrity(t, path)
	}
	if len(acknowledged) < 5*200 {
		t.Errorf("only %s records were acknowledged", strconv.Itoa(len(acknowledged)))
	}
}

func checkIntegrity(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity check: %s, error %v", verdict, err)
	}
}
