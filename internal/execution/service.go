// Package execution is the life of an execution: who is let in, who waits, who
// runs it, how it is cancelled and resumed, and how it ends.
//
// The rules are pure functions in files of their own (status, admission,
// parameters, availability). Service applies them in transactions and runs the
// executions that its manager has claimed. A claim has a lease and an epoch:
// whoever lost it stops and writes nothing more, and whoever takes it over goes
// on from what is stored. Restart, crash and failover are that one thing.
package execution

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/workflow"
)

// Config is what a Service needs. Store and ManagerName are required.
type Config struct {
	Store store.Store
	// ManagerName is unique among the managers that share the store, and the
	// same after a restart: a manager takes over its own former claims at once.
	ManagerName string
	// Alone says that no other manager uses the store, so that at the start
	// every claim found is stale.
	Alone bool

	// Runners run operations, by plugin name; "" is for all other plugins.
	Runners map[string]operation.Runner
	// Workflows finds a workflow by the plugin and operation it is mapped to;
	// nil finds the built-in ones.
	Workflows func(plugin, operation string) (workflow.Func, bool)
	// SystemWorkflows are run by the manager itself, by workflow id.
	SystemWorkflows map[string]SystemWorkflow
	// Resources finds files for operations; nil finds none.
	Resources ResourceFinder
	// Secrets opens secrets for get_secret; nil knows none.
	Secrets SecretOpener
	// WorkDir makes sure a deployment's work directory exists and returns it;
	// nil gives none.
	WorkDir func(tenant, deploymentID string) (string, error)
	// Dependents lists, one line each, why other deployments forbid the
	// workflow on the deployment; nil means none do.
	Dependents func(ctx context.Context, tx store.Tx, d store.Deployment, workflowID string, parameters map[string]any) ([]string, error)
	// Announce is told, in the transaction that stores it, of each new status of an
	// execution; nil tells nobody.
	Announce func(ctx context.Context, tx store.Tx, e store.Execution) error
	// Replanned is told, in the transaction of an update, of a deployment as it
	// was and as it is now, so that what others know of it follows; nil tells nobody.
	Replanned func(ctx context.Context, tx store.Tx, was, is store.Deployment, p *plan.Deployment) error
	// Schedules reads the schedules that a deployment's settings declare; nil
	// reads none.
	Schedules func(d store.Deployment, now time.Time) ([]store.Schedule, error)
	// RestURL is where operations reach the REST API; "" if it isn't served.
	RestURL string
	// OperationTimeout is the timeout of operations that say none; 0: none.
	OperationTimeout time.Duration

	Limits Limits
	Timing Timing
	// Clock is the time that the managers share; nil makes one.
	Clock *store.Clock
	// Uptime is the clock that operations' leases end by: it goes on while the
	// machine sleeps. Runners that heed them know it as warden.Uptime. nil goes
	// with Clock.Own.
	Uptime func() time.Duration
	// Logger hears of what concerns the manager's operator; nil drops it.
	Logger *slog.Logger
}

// Limits bound what one manager does at once; zero fields get the defaults.
type Limits struct {
	Executions              int // run at once by this manager: 1000
	Operations              int // run at once by this manager: 20
	OperationsPerDeployment int // of them for one deployment: no limit
	OperationsPerExecution  int // of them for one execution: no limit
}

// Timing holds the intervals of the manager's loops; zero fields get the
// defaults. Tests shorten them.
type Timing struct {
	Lease time.Duration // how long a claim holds without renewal: 15 s
	Renew time.Duration // how often claims are renewed: 4 s
	Poll  time.Duration // how often to look for work without being woken: 2 s
	// CancelGrace is how long a cancel waits for running operations to end. Then
	// it goes on as a forced one: 30 s.
	CancelGrace time.Duration
	// WorkflowGrace is how long a cancel waits for a workflow's own code, which may
	// have to clean up. Then, too, it goes on as a forced one: 5 min.
	WorkflowGrace time.Duration
	// KillGrace is how long operations that were killed may take to end. Then they
	// are abandoned, and the execution ends without them: 30 s.
	KillGrace time.Duration
}

// SystemWorkflow is a workflow that the manager itself carries out. It runs
// again from the start after a crash, so it must be idempotent. Its error
// becomes the execution's. It returns soon after ctx ends, which a cancel of
// any kind does.
type SystemWorkflow func(ctx context.Context, e store.Execution, h SystemHost) error

// SystemHost is what a system workflow may ask of the service.
type SystemHost interface {
	// Log stores a log line of the execution: level is debug, info, warning,
	// error or critical. It may return before the line is durable.
	Log(level, message string)
	// Event stores an event of the execution; eventType is such as workflow_stage.
	Event(eventType, message string)
	// Write runs fn in a transaction that is refused with store.ErrFenced
	// if another manager has taken the execution over. fn may run more than once.
	Write(ctx context.Context, fn func(tx store.Tx) error) error
}

// ResourceFinder finds the files that operations ask for.
type ResourceFinder interface {
	// FindResource returns the file at path in the deployment's, the
	// blueprint's or the shared resources, looked for in that order;
	// operation.ErrNoResource if none has it.
	FindResource(ctx context.Context, tenant, deploymentID, blueprintID, path string) ([]byte, error)
	// ResourceFiles returns the paths, relative to a directory, of all files below
	// it, in the first of those places that has it; operation.ErrNoResource if none has.
	ResourceFiles(ctx context.Context, tenant, deploymentID, blueprintID, directory string) ([]string, error)
}

// SecretOpener gives the plain value of a secret; store.ErrNotFound if there is none.
type SecretOpener interface {
	OpenSecret(ctx context.Context, tenant, key string) (string, error)
}

// Service starts, runs, cancels and resumes executions. Its methods are safe
// for concurrent use. Requests work whether or not Run runs; what they start is
// carried out by whichever manager runs.
type Service struct {
	cfg   Config
	store store.Store
	log   *slog.Logger
	owner string // of this Service's claims: the manager's name and which life of it
	slots *slots
	// settlers are the runners that ask when an outcome is stored.
	settlers []operation.Settler

	timeSet chan struct{} // has a value when the shared clock was set, for who waits for a time

	mu      sync.Mutex
	running map[string]*run // by execution id; guarded by mu
}

// New checks the configuration and makes a Service. Nothing runs until Run.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil {
		return nil, errors.New("execution service: Config.Store is missing")
	}
	if cfg.ManagerName == "" {
		return nil, errors.New("execution service: Config.ManagerName is missing")
	}
	if cfg.Clock == nil {
		cfg.Clock = store.NewClock(cfg.Store)
	}
	if cfg.Uptime == nil {
		began := cfg.Clock.Own()
		cfg.Uptime = func() time.Duration { return cfg.Clock.Own().Sub(began) }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Workflows == nil {
		cfg.Workflows = workflow.Lookup
	}
	cfg.Limits = cfg.Limits.orDefaults()
	cfg.Timing = cfg.Timing.orDefaults()
	s := &Service{
		cfg:     cfg,
		store:   cfg.Store,
		log:     cfg.Logger,
		owner:   cfg.ManagerName + ownerSeparator + uuid.NewString(),
		slots:   newSlots(cfg.Limits),
		running: map[string]*run{},
		timeSet: make(chan struct{}, 1),
	}
	for _, runner := range cfg.Runners {
		if settler, ok := runner.(operation.Settler); ok {
			s.settlers = append(s.settlers, settler)
		}
	}
	return s, nil
}

// ownerSeparator stands between a manager's name and the id of its present life.
const ownerSeparator = "#"

func (l Limits) orDefaults() Limits {
	l.Executions = orDefault(l.Executions, DefaultManagerExecutions)
	l.Operations = orDefault(l.Operations, DefaultOperations)
	return l
}

// The settings that bound how many operations run at once; they take effect while
// executions run. 0 is no limit, but for the first, which is at least 1.
const (
	OperationsSetting           = "max_concurrent_operations"
	DeploymentOperationsSetting = "max_concurrent_operations_per_deployment"
	ExecutionOperationsSetting  = "max_concurrent_operations_per_execution"

	DefaultOperations = 20 // for one manager, as the original's workers

	// ManagerExecutionsSetting bounds how many executions one manager runs at once. Those
	// beyond wait as pending ones until a manager has room for them.
	ManagerExecutionsSetting = "max_concurrent_executions"
	DefaultManagerExecutions = 1000
)

// ReadLimits heeds the settings that bound operations and executions. A running Service does so
// by itself, every other second.
func (s *Service) ReadLimits(ctx context.Context) error {
	settings, err := s.store.ListSettings(ctx)
	if err != nil {
		return fmt.Errorf("read how many operations may run at once: %w", err)
	}
	l := s.cfg.Limits
	l.Executions = max(1, intAmong(settings, ManagerExecutionsSetting, l.Executions))
	l.Operations = max(1, intAmong(settings, OperationsSetting, l.Operations))
	l.OperationsPerDeployment = intAmong(settings, DeploymentOperationsSetting, l.OperationsPerDeployment)
	l.OperationsPerExecution = intAmong(settings, ExecutionOperationsSetting, l.OperationsPerExecution)
	s.slots.set(l)
	return nil
}

func (t Timing) orDefaults() Timing {
	t.Lease = orDefault(t.Lease, 15*time.Second)
	t.Renew = orDefault(t.Renew, 4*time.Second)
	t.Poll = orDefault(t.Poll, 2*time.Second)
	t.CancelGrace = orDefault(t.CancelGrace, 30*time.Second)
	t.WorkflowGrace = orDefault(t.WorkflowGrace, 5*time.Minute)
	t.KillGrace = orDefault(t.KillGrace, graph.DefaultKillGrace)
	return t
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// now is the time that all managers share.
func (s *Service) now() time.Time { return s.cfg.Clock.Now() }
