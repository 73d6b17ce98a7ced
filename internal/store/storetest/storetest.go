// Package storetest is the conformance suite of the store: what it tests is
// promised of every database, and what it doesn't is not.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/store"
	"windlass/internal/value"
)

// Opener opens one database, the same each time.
type Opener func(ctx context.Context) (store.Store, error)

// Run tests a kind of database. fresh makes an empty database for one test.
func Run(t *testing.T, fresh func(t *testing.T) Opener) {
	t.Helper()
	for _, topic := range []struct {
		name  string
		tests []test
	}{
		{"Tenant", tenantTests},
		{"User", userTests},
		{"Secret", secretTests},
		{"Setting", settingTests},
		{"Blob", blobTests},
		{"Blueprint", blueprintTests},
		{"Deployment", deploymentTests},
		{"Node", nodeTests},
		{"Instance", instanceTests},
		{"Modification", modificationTests},
		{"DeploymentUpdate", updateTests},
		{"PluginsUpdate", pluginsUpdateTests},
		{"Hook", hookTests},
		{"Schedule", scheduleTests},
		{"Group", groupTests},
		{"Plugin", pluginTests},
		{"Approval", approvalTests},
		{"Filter", filterTests},
		{"Site", siteTests},
		{"Dependency", dependencyTests},
		{"Snapshot", snapshotTests},
		{"Export", exportTests},
		{"Execution", executionTests},
		{"Queue", queueTests},
		{"Claim", claimTests},
		{"Operation", operationTests},
		{"Journal", journalTests},
		{"Event", eventTests},
		{"Query", queryTests},
		{"Write", writeTests},
		{"Notify", notifyTests},
	} {
		t.Run(topic.name, func(t *testing.T) {
			t.Parallel()
			for _, one := range topic.tests {
				t.Run(one.name, func(t *testing.T) {
					t.Parallel()
					one.run(newSubject(t, fresh(t)))
				})
			}
		})
	}
}

type test struct {
	name string
	run  func(s *subject)
}

// subject is a store under test.
type subject struct {
	store.Store
	*testing.T
	open Opener
}

func newSubject(t *testing.T, open Opener) *subject {
	t.Helper()
	s := &subject{T: t, open: open}
	s.Store = s.another()
	return s
}

// another opens the database once more; it is closed with the test.
func (s *subject) another() store.Store {
	s.Helper()
	st, err := s.open(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := st.Close(); err != nil {
			s.Errorf("close: %v", err)
		}
	})
	return st
}

// reopen closes the store and opens it again.
func (s *subject) reopen() {
	s.Helper()
	if err := s.Close(); err != nil {
		s.Fatal(err)
	}
	s.Store = s.another()
}

func (s *subject) ctx() context.Context { return s.Context() }

// write is Write that must succeed.
func (s *subject) write(fn func(tx store.Tx) error) {
	s.Helper()
	if err := s.Write(s.ctx(), fn); err != nil {
		s.Fatal(err)
	}
}

// refused is Write that must fail with an error that is target.
func (s *subject) refused(target error, fn func(tx store.Tx) error) error {
	s.Helper()
	err := s.Write(s.ctx(), fn)
	if !errors.Is(err, target) {
		s.Fatalf("got error %v, want one that is %q", err, target)
	}
	return err
}

func (s *subject) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// missing wants a RecordError about kind and id that is ErrNotFound.
func (s *subject) missing(err error, kind, id string) {
	s.Helper()
	var record *store.RecordError
	if !errors.Is(err, store.ErrNotFound) || !errors.As(err, &record) || record.Kind != kind || record.ID != id {
		s.Fatalf("got error %v, want that %s %q is not found", err, kind, id)
	}
}

func same[T any](s *subject, got, want T) {
	s.Helper()
	if diff := cmp.Diff(want, got, emptyMaps); diff != "" {
		s.Fatalf("(-want +got)\n%s", diff)
	}
}

// emptyMaps are the same as none where they go through JSON as part of a struct.
var emptyMaps = cmp.Transformer("map", func(m value.Map) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
})

// filled fails for zero fields: a round trip proves nothing about them.
func filled(s *subject, record any, but ...string) {
	s.Helper()
	v := reflect.ValueOf(record)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && !slices.Contains(but, name) {
			s.Fatalf("the sample %T leaves %s out", record, name)
		}
	}
}

// at is a moment, n seconds after the epoch of these tests.
func at(n int) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC).Add(time.Duration(n) * time.Second)
}

func owned(tenant string, n int) store.Owned {
	return store.Owned{Tenant: tenant, Visibility: store.Tenants, CreatedBy: "admin", CreatedAt: at(n)}
}

func ptr[T any](v T) *T { return &v }

// field is an equality filter.
func field(name string, values ...string) store.Filter {
	return store.Filter{Field: name, Values: values}
}

// where is a query with filters.
func where(filters ...store.Filter) store.Query { return store.Query{Filters: filters} }

// seed adds a deployment with an execution, claimed by "one" with epoch 1, and
// returns the claim.
func (s *subject) seed(tenant, deployment, execution string) store.Fence {
	s.Helper()
	s.write(func(tx store.Tx) error {
		d := store.Deployment{Owned: owned(tenant, 0), ID: deployment, DisplayName: deployment + " shown", BlueprintID: "bp"}
		if err := tx.AddDeployment(s.ctx(), d); err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
		return tx.AddExecution(s.ctx(), store.Execution{
			Owned: owned(tenant, 0), ID: execution, WorkflowID: "install", DeploymentID: deployment, BlueprintID: "bp", Status: store.Started,
		})
	})
	var e store.Execution
	s.write(func(tx store.Tx) (err error) {
		e, err = tx.ClaimExecution(s.ctx(), store.Execution{ID: execution}, "one", lasting(at(0), at(60)))
		return err
	})
	return store.Fence{ExecutionID: execution, Epoch: e.Epoch}
}

// graph adds a graph of n pending operations named <id>-0, <id>-1 ...
func (s *subject) graph(execution, id string, n int) {
	s.Helper()
	ops := make([]store.Operation, n)
	for i := range ops {
		ops[i] = store.Operation{
			ID: fmt.Sprintf("%s-%d", id, i), GraphID: id, Position: i, Type: "RemoteWorkflowTask", State: "pending",
			Parameters: map[string]any{"n": int64(i)},
		}
	}
	s.write(func(tx store.Tx) error {
		return tx.AddGraph(s.ctx(), store.Graph{ID: id, ExecutionID: execution, Name: id}, ops)
	})
}

// instances adds n instances <node>_0, <node>_1 ... of a node.
func (s *subject) instances(tenant, deployment, node string, n int) {
	s.Helper()
	list := make([]store.NodeInstance, n)
	for i := range list {
		list[i] = store.NodeInstance{
			Tenant: tenant, DeploymentID: deployment, NodeID: node, ID: fmt.Sprintf("%s_%d", node, i), Index: i + 1,
			State: "uninitialized", Visibility: store.Tenants, CreatedBy: "admin",
		}
	}
	s.write(func(tx store.Tx) error { return tx.AddInstances(s.ctx(), list) })
}
