// Package rest serves the HTTP API v3.1 and the live stream of events: it
// decodes, authorises, calls a service and encodes. What it serves stands in
// one route table (routes.go), the statuses of errors in another (error.go).
package rest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"windlass/internal/access"
	"windlass/internal/approval"
	"windlass/internal/catalog"
	"windlass/internal/execution"
	"windlass/internal/store"
)

// Executions is what the API needs of the execution room.
type Executions interface {
	ReadLimits(ctx context.Context) error
	LetIn(ctx context.Context, tx store.Tx) error
	Remove(ctx context.Context, ids []string) (int, error)
	Start(ctx context.Context, r execution.StartRequest) (store.Execution, error)
	Cancel(ctx context.Context, tenant, id string, how execution.Action) (store.Execution, error)
	Resume(ctx context.Context, tenant, id string, force bool) (store.Execution, error)
	Pause(ctx context.Context, tenant, id string) (store.Execution, error)
	Continue(ctx context.Context, tenant, id string) (store.Execution, error)
	UpdateStatus(ctx context.Context, u execution.StatusUpdate) (store.Execution, error)
	StartGroup(ctx context.Context, r execution.GroupRequest) (store.ExecutionGroup, error)
	AddGroup(ctx context.Context, g store.ExecutionGroup) error
	ActOnGroup(ctx context.Context, tenant, id string, how execution.Action) error
	UpdateGroup(ctx context.Context, tenant, id string, concurrency *int, success, failure *string) (store.ExecutionGroup, error)
	Maintenance(ctx context.Context) (execution.Maintenance, error)
	SetMaintenance(ctx context.Context, on bool, by string) (execution.Maintenance, bool, error)
	StartLater(ctx context.Context, r execution.StartRequest, at time.Time) (store.Execution, error)
	AddSchedule(ctx context.Context, tx store.Tx, sc store.Schedule) (store.Schedule, error)
	StartUpdate(ctx context.Context, r execution.StartRequest) (store.DeploymentUpdate, error)
	Wait(ctx context.Context, id string) (store.Execution, error)
	StartModification(ctx context.Context, r execution.ModificationRequest) (store.Modification, error)
	FinishModification(ctx context.Context, tenant, id string) (store.Modification, error)
	RollbackModification(ctx context.Context, tenant, id string) (store.Modification, error)
	ChangeSchedule(ctx context.Context, tenant, deployment, id string, change func(*store.Schedule) error) (store.Schedule, error)
}

// Hooks is what the API needs of the hook room.
type Hooks interface {
	Refresh(ctx context.Context) error
}

// Approvals is what the API needs of the approval room.
type Approvals interface {
	Answer(ctx context.Context, a approval.Answer) (store.Approval, error)
}

// Catalog is what the API needs of the catalog room.
type Catalog interface {
	UploadBlueprint(ctx context.Context, u catalog.Upload) (store.Blueprint, error)
	WaitForUpload(ctx context.Context, b store.Blueprint) (store.Blueprint, error)
	DeleteBlueprint(ctx context.Context, tenant, id string, force bool) error
	// BlueprintArchive opens the archive as uploaded and names it; the caller closes it.
	BlueprintArchive(ctx context.Context, tenant, id string) (io.ReadCloser, string, error)
	CreateDeployment(ctx context.Context, c catalog.Creation) (store.Deployment, error)
	WaitForEnvironment(ctx context.Context, d store.Deployment) (store.Deployment, error)
	DeleteDeployment(ctx context.Context, d catalog.Deletion) (store.Execution, error)
	Outputs(ctx context.Context, tenant, deployment string) (map[string]any, error)
	Capabilities(ctx context.Context, tenant, deployment string) (map[string]any, error)
	// EvaluateFunctions evaluates the functions in payload; scope may name the
	// instances that stand for SELF, SOURCE and TARGET.
	EvaluateFunctions(ctx context.Context, tenant, deployment string, payload, scope map[string]any) (map[string]any, error)
}

// Files is where the files below /resources are.
type Files interface {
	// BlueprintDir is the folder with the blueprint's files.
	BlueprintDir(ctx context.Context, tenant, id string) (string, error)
	// WorkDir is the deployment's work folder, made if missing.
	WorkDir(tenant, deployment string) (string, error)
	// SharedDir is the folder shared by the tenant's deployments, or by all if
	// tenant is "". It need not exist.
	SharedDir(tenant string) string
}

// Config is what the API is made of. All but the last group is needed.
type Config struct {
	Store      store.Store
	Access     *access.Service
	Executions Executions
	Hooks      Hooks // nil: none are called
	Approvals  Approvals
	Catalog    Catalog
	Plugins    Plugins
	Files      Files
	Snapshots  Snapshots

	Version string
	Host    string // this manager's name, as shown by /managers
	Address string // its address; a port is left off
	// Why explains where an execution stands and what it waits for; nil: not offered.
	Why func(ctx context.Context, tenant, id string) (execution.Reason, error)
	// Disk tells of the room for the manager's data; nil: not offered.
	Disk func() (Disk, error)
	// Stopping, once closed, ends the streams so that the server can stop.
	Stopping <-chan struct{}
	// Fetch opens what a URL names; nil: not offered.
	Fetch  func(ctx context.Context, url string) (io.ReadCloser, error)
	Logger *slog.Logger     // nil: none
	Now    func() time.Time // nil: time.Now

	MaxBody     int64         // bytes of a JSON body; 0: 64 MiB
	MaxUpload   int64         // bytes of an upload; 0: 1 GiB
	MaxSnapshot int64         // bytes of a snapshot's archive; 0: 1 TiB
	MaxStreams  int           // event streams at once; 0: 1000
	Patience    time.Duration // how long a peer may leave a read or write of ours waiting; 0: 30 s
	CreateWait  time.Duration // how long creating a deployment or blueprint waits for its end; 0: 120 s
}

type server struct {
	Config
	log     *slog.Logger
	table   []route
	openapi []byte
	streams chan struct{}
}

// New builds the handler of the whole API.
func New(cfg Config) (http.Handler, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	return s.handler()
}

func newServer(cfg Config) (*server, error) {
	if cfg.Store == nil || cfg.Access == nil || cfg.Executions == nil || cfg.Approvals == nil || cfg.Catalog == nil || cfg.Files == nil || cfg.Snapshots == nil {
		return nil, errors.New("the API needs a store, access, executions, approvals, a catalog, files and snapshots")
	}
	s := &server{Config: cfg, log: cfg.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	orDefault(&s.MaxBody, 64<<20)
	orDefault(&s.MaxUpload, 1<<30)
	orDefault(&s.MaxSnapshot, 1<<40)
	orDefault(&s.MaxStreams, 1000)
	orDefault(&s.Patience, 30*time.Second)
	orDefault(&s.CreateWait, 120*time.Second)
	if host, _, err := net.SplitHostPort(s.Address); err == nil {
		s.Address = host
	}
	if ip := net.ParseIP(s.Address); s.Address == "" || ip != nil && ip.IsUnspecified() {
		s.Address = "127.0.0.1"
	}
	s.streams = make(chan struct{}, s.MaxStreams)
	s.table = s.routes()
	var err error
	s.openapi, err = s.describe()
	return s, err
}

func orDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Server makes an HTTP server with the timeouts that the handler counts on:
// bodies and streams set their own deadlines.
func Server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
}
