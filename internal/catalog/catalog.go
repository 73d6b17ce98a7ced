// Package catalog keeps blueprints and deployments: it takes in archives,
// parses them, makes deployments with their nodes and instances, and removes
// both again. What takes time runs as an execution (upload_blueprint,
// create_deployment_environment, delete_deployment_environment), so that it
// survives a crash and can be watched.
package catalog

import (
	"context"
	"errors"
	"io"
	"time"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/functions"
	"windlass/internal/execution"
	"windlass/internal/store"
	"windlass/internal/topology"
)

// The executions that the catalog starts.
const (
	WorkflowUpload = "upload_blueprint"
	WorkflowCreate = "create_deployment_environment"
	WorkflowDelete = "delete_deployment_environment"
)

// Executions is what the catalog needs of the execution room.
type Executions interface {
	// StartSystem adds the execution in the transaction; it runs once that is
	// committed.
	StartSystem(ctx context.Context, tx store.Tx, r execution.SystemRequest) (store.Execution, error)
	// Wait returns the execution once it has ended, or ctx's error.
	Wait(ctx context.Context, id string) (store.Execution, error)
}

// Config is what a Service is made of.
type Config struct {
	Store      store.Store
	Library    *Library
	Executions Executions
	Evaluator  Evaluator
	Now        func() time.Time
}

// Service answers requests about blueprints and deployments.
type Service struct {
	store      store.Store
	library    *Library
	executions Executions
	evaluator  Evaluator
	now        func() time.Time
}

// New makes a Service.
func New(c Config) *Service {
	return &Service{store: c.Store, library: c.Library, executions: c.Executions, evaluator: c.Evaluator, now: c.Now}
}

// Library gives access to the files of blueprints and deployments.
func (s *Service) Library() *Library { return s.library }

// Environment carries out the executions that the catalog starts.
type Environment struct {
	Store   store.Store
	Library *Library
	Parse   blueprint.Options // resolver and checks for parsing
	// Fetch opens an archive by its URL; the caller closes it.
	Fetch func(ctx context.Context, url string) (io.ReadCloser, error)
	Now   func() time.Time
	// IDs makes the random ends of node instances' ids.
	IDs topology.IDSource
	// Schedule checks and adds a schedule. Required for blueprints with
	// default schedules.
	Schedule func(ctx context.Context, tx store.Tx, sc store.Schedule) (store.Schedule, error)
	// Remove starts the removal of a deployment, and Wait waits for its end.
	// Required for recursive removals.
	Remove func(ctx context.Context, r Deletion) (store.Execution, error)
	Wait   func(ctx context.Context, id string) (store.Execution, error)
	// Evaluate works out functions at run time; nil: capabilities that inputs
	// may name are compared as they are written.
	Evaluate func(ctx context.Context, tenant, deployment string, payload any, scope functions.Scope) (any, error)
	// Updates updates deployments. Required for updates of plugins.
	Updates Updates
}

// Updates updates deployments.
type Updates interface {
	// StartUpdate starts the update of a deployment.
	StartUpdate(ctx context.Context, r execution.StartRequest) (store.DeploymentUpdate, error)
	// Wait returns the execution once it has ended, or ctx's error.
	Wait(ctx context.Context, id string) (store.Execution, error)
}

// SystemWorkflows lists what the environment carries out, by workflow name.
func (e *Environment) SystemWorkflows() map[string]execution.SystemWorkflow {
	return map[string]execution.SystemWorkflow{
		WorkflowUpload: e.upload,
		WorkflowCreate: e.create,
		WorkflowDelete: e.delete, WorkflowUpdatePlugins: e.updatePlugins,
	}
}

// refusal is a request that the catalog turns down.
func refusal(status int, code, message string) error {
	return &execution.Refusal{Code: code, Status: status, Message: message}
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
