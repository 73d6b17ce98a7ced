package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"windlass/internal/store"
)

// model is the rules of who may run, in a few lines: what the service answers,
// and every status afterwards, must be what these say.
type model struct {
	all []*modelled // in the order of their requests
}

type modelled struct {
	id         string
	deployment string // "" for system-wide ones
	status     store.Status
}

func (m *modelled) wide() bool { return m.deployment == "" }

func (m *model) some(fits func(*modelled) bool) bool { return slices.ContainsFunc(m.all, fits) }

func isActiveModel(e *modelled) bool { return e.status.IsActive() }

func isQueuedModel(e *modelled) bool { return e.status == store.Queued }

// admitted tells whether a new execution would start now.
func (m *model) admitted(deployment string, force bool) bool {
	if deployment == "" {
		return !m.some(isActiveModel) && !m.some(func(e *modelled) bool { return e.wide() && isQueuedModel(e) })
	}
	if m.some(func(e *modelled) bool { return e.wide() && (isActiveModel(e) || isQueuedModel(e)) }) {
		return false
	}
	return force || !m.some(func(e *modelled) bool { return e.deployment == deployment && (isActiveModel(e) || isQueuedModel(e)) })
}

// letIn starts what may start from the queue, in order.
func (m *model) letIn() {
	for _, e := range m.all {
		if e.wide() && isQueuedModel(e) {
			if !m.some(isActiveModel) {
				e.status = store.Pending
			}
			return
		}
	}
	if m.some(func(e *modelled) bool { return e.wide() && isActiveModel(e) }) {
		return
	}
	for _, e := range m.all {
		if isQueuedModel(e) && !m.some(func(o *modelled) bool { return o.deployment == e.deployment && isActiveModel(o) }) {
			e.status = store.Pending
		}
	}
}

// TestRulesAgainstModel drives three managers on one store with random
// requests, and compares every answer and every status with the model.
func TestRulesAgainstModel(t *testing.T) {
	t.Parallel()
	deployments := []string{"d0", "d1", "d2"}
	rapid.Check(t, func(r *rapid.T) {
		st := openStore(t)
		for _, d := range deployments {
			addDeployment(t, st, d, nil)
		}
		var managers []*Service
		for k := range 3 {
			managers = append(managers, newService(t, Config{Store: st, ManagerName: fmt.Sprint("m", k)}))
		}
		m := &model{}
		manager := func() *Service { return rapid.SampledFrom(managers).Draw(r, "manager") }
		asked := func(e store.Execution, err error, deployment string, force, queue bool) {
			want := store.Pending
			if !m.admitted(deployment, force) {
				want = store.Queued
				if !queue {
					var refusal *Refusal
					if !errors.As(err, &refusal) || refusal.Code != CodeExistingRunning {
						r.Fatalf("it should be refused; got %s, %v", e.Status, err)
					}
					return
				}
			}
			if err != nil || e.Status != want {
				r.Fatalf("it should be %s; got %s, %v", want, e.Status, err)
			}
			m.all = append(m.all, &modelled{id: e.ID, deployment: deployment, status: want})
		}
		r.Repeat(map[string]func(*rapid.T){
			"start": func(r *rapid.T) {
				d := rapid.SampledFrom(deployments).Draw(r, "deployment")
				force, queue := rapid.Bool().Draw(r, "force"), rapid.Bool().Draw(r, "queue")
				e, err := manager().Start(t.Context(), StartRequest{
					Tenant: "default_tenant", DeploymentID: d, WorkflowID: "install", Force: force, Queue: queue, CreatedBy: "admin",
				})
				asked(e, err, d, force, queue)
			},
			"start system-wide": func(r *rapid.T) {
				queue := rapid.Bool().Draw(r, "queue")
				e, err := manager().StartSystem(t.Context(), nil, SystemRequest{
					Tenant: "default_tenant", WorkflowID: "restore_snapshot", Queue: queue, CreatedBy: "admin",
				})
				asked(e, err, "", false, queue)
			},
			"end": func(r *rapid.T) {
				var active []*modelled
				for _, e := range m.all {
					if isActiveModel(e) {
						active = append(active, e)
					}
				}
				if len(active) == 0 {
					r.Skip("nothing runs")
				}
				e := rapid.SampledFrom(active).Draw(r, "which")
				to := rapid.SampledFrom(store.EndStatuses).Draw(r, "as")
				endAs(t, r, manager(), e.id, to)
				e.status = to
				m.letIn()
			},
			"leave the queue": func(r *rapid.T) {
				k := slices.IndexFunc(m.all, isQueuedModel)
				if k < 0 {
					r.Skip("nobody waits")
				}
				e := m.all[k]
				endAs(t, r, manager(), e.id, store.Cancelled)
				e.status = store.Cancelled
				m.letIn()
			},
			"": func(r *rapid.T) {
				var got, want []string
				for _, e := range m.all {
					x, err := st.GetExecution(t.Context(), e.id)
					if err != nil {
						r.Fatal(err)
					}
					got, want = append(got, string(x.Status)), append(want, string(e.status))
				}
				if !slices.Equal(got, want) {
					r.Fatalf("statuses in the order of the requests:\n got %s\nwant %s", strings.Join(got, " "), strings.Join(want, " "))
				}
			},
		})
	})
}

// endAs ends an execution as whoever runs it, or takes it from the queue, does.
func endAs(t *testing.T, r *rapid.T, s *Service, id string, to store.Status) {
	t.Helper()
	err := s.store.Write(t.Context(), func(tx store.Tx) error {
		return endIn(t.Context(), s, tx, id, to)
	})
	if err != nil {
		r.Fatal(err)
	}
}

func endIn(ctx context.Context, s *Service, tx store.Tx, id string, to store.Status) error {
	if err := tx.Lock(admissionLock); err != nil {
		return err
	}
	e, err := tx.LockExecution(ctx, id)
	if err != nil {
		return err
	}
	e.EndedAt = time.Now()
	_, err = s.transition(ctx, tx, &e, to, "")
	return err
}
