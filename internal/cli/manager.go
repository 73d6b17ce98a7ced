package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"windlass/internal/manager"
)

func (a *app) managerCommand() *cobra.Command {
	var c manager.Config
	var mebibytes uint32
	start := leaf("start", "Run a manager until it is interrupted", cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		c.OperationMemory = int64(mebibytes) << 20
		return a.runManager(cmd.Context(), c)
	})
	f := start.Flags()
	f.StringVar(&c.DataDir, "data-dir", "windlass-data", "where the manager keeps its data")
	f.StringVar(&c.Listen, "listen", "127.0.0.1:"+strconv.Itoa(defaultPort), "where the REST API listens; only this machine reaches it unless told otherwise")
	f.StringVar(&c.Database, "database", "", "postgres:// URL; SQLite in the data directory by default")
	f.StringVar(&c.ResourcesLink, "resources-link", "", "make this a link to the files of blueprints and deployments; /opt/manager/resources for scripts that expect them there")
	f.BoolVar(&c.AllowPrivate, "allow-private-addresses", false, "let imports and archives be fetched from this machine's own networks too")
	f.Uint32Var(&mebibytes, "operation-memory", 0, "how much memory a Python operation or workflow may have, in MiB of address space; 0 for no limit")
	f.DurationVar(&c.OperationTimeout, "operation-timeout", 0, "how long an operation may take whose blueprint sets no timeout, such as 2h; 0 for no limit")
	return group("manager", "Run a manager", start)
}

// wardenCommand is how this program is started to watch over a manager's scripts.
const wardenCommand = "script-warden"

func (a *app) wardenCommand() *cobra.Command {
	c := leaf(wardenCommand, "Watch over a manager's scripts; the manager starts it", cobra.NoArgs, func(*cobra.Command, []string) error {
		return manager.Watch(a.Stdin, a.Stdout)
	})
	c.Hidden = true
	return c
}

func (a *app) runManager(ctx context.Context, c manager.Config) error {
	level := slog.LevelInfo
	if a.verbosity > 0 {
		level = slog.LevelDebug
	}
	c.Logger = slog.New(slog.NewTextHandler(a.Stderr, &slog.HandlerOptions{Level: level}))
	c.Version = a.Version
	c.AdminPassword = a.Getenv("WINDLASS_ADMIN_PASSWORD")
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	c.Warden = []string{program, "cfy", wardenCommand}
	m, err := manager.Open(ctx, c)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(m.Address())
	if err != nil {
		return errors.Join(err, m.Close())
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsLoopback() {
		fmt.Fprintf(a.Stderr, "Warning: the API is reachable from other machines at %s, without encryption: put a TLS proxy in front of it.\n", m.Address())
	}
	fmt.Fprintf(a.Stdout, "The manager listens on http://%s, its data is in %s\n", m.Address(), c.DataDir)
	if m.AdminPassword != "" {
		if err := a.introduce(host, port, m.AdminPassword); err != nil {
			return errors.Join(err, m.Close())
		}
	}
	return errors.Join(m.Run(ctx), m.Close())
}

// introduce tells the first admin's password, once, and stores it for this
// user's command line.
func (a *app) introduce(host, port, password string) error {
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	p := profile{Name: host, Host: host, Port: n, Username: "admin", Password: password, Tenant: defaultTenant}
	if err := a.saveProfile(p, true); err != nil {
		return err
	}
	fmt.Fprintf(a.Stdout, "First start. Log in as\n    user:     %s\n    password: %s\nIt is shown this once, and stored in the profile %s of this user.\n",
		p.Username, password, p.Name)
	return nil
}

// localManager is a manager in this process, for the local profile.
type localManager struct {
	manager  *manager.Manager
	password string
	cancel   context.CancelFunc
	done     chan error
}

const localDir = ".cloudify"

// startLocal opens the manager in ./.cloudify and lets it run for as long as
// the command does.
func startLocal(ctx context.Context, a *app) (*localManager, error) {
	dir := filepath.Join(localDir, "manager")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the local profile: %w", err)
	}
	l := &localManager{done: make(chan error, 1)}
	file := filepath.Join(dir, "password")
	if data, err := os.ReadFile(file); err == nil {
		l.password = strings.TrimSpace(string(data))
	}
	var logger *slog.Logger
	if a.verbosity > 0 {
		logger = slog.New(slog.NewTextHandler(a.Stderr, nil))
	}
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	l.manager, err = manager.Open(ctx, manager.Config{
		DataDir: dir, Version: a.Version, Logger: logger, ImportRules: c.rules, AllowPrivate: c.private,
		NoVersionCheck: c.newer,
	})
	if err != nil {
		return nil, err
	}
	if l.manager.AdminPassword != "" {
		l.password = l.manager.AdminPassword
		if err := writePrivate(file, []byte(l.password+"\n")); err != nil {
			return nil, errors.Join(err, l.manager.Close())
		}
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	go func() { l.done <- l.manager.Run(run) }()
	return l, nil
}

func (l *localManager) credentials() (string, string) { return "admin", l.password }

func (l *localManager) stop() error {
	l.cancel()
	return errors.Join(<-l.done, l.manager.Close())
}

// RoundTrip serves a request from memory. The answer's body streams.
func (l *localManager) RoundTrip(req *http.Request) (*http.Response, error) {
	r, w := io.Pipe()
	answer := &memoryWriter{header: http.Header{}, body: w, ready: make(chan struct{})}
	ctx, cancel := context.WithCancel(req.Context())
	in := req.Clone(ctx)
	in.RequestURI = req.URL.RequestURI()
	in.RemoteAddr = "local"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	go func() {
		defer cancel()
		l.manager.Handler().ServeHTTP(answer, in)
		answer.WriteHeader(http.StatusOK)
		_ = w.Close()
	}()
	select {
	case <-answer.ready:
	case <-req.Context().Done():
		_ = r.CloseWithError(req.Context().Err())
		return nil, req.Context().Err()
	}
	return &http.Response{
		StatusCode: answer.status, Status: fmt.Sprintf("%d %s", answer.status, http.StatusText(answer.status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: answer.sent, ContentLength: -1, Request: req,
		Body: &memoryBody{PipeReader: r, cancel: cancel},
	}, nil
}

type memoryBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *memoryBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

type memoryWriter struct {
	header http.Header
	sent   http.Header
	status int
	body   *io.PipeWriter
	once   sync.Once
	ready  chan struct{}
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.ready)
	})
}

func (w *memoryWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Flush does nothing: what is written has been read.
func (w *memoryWriter) Flush() { w.WriteHeader(http.StatusOK) }
