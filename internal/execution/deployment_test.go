package execution

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

// readPlan reads testdata/small.plan.json, which is what small.blueprint.yaml
// becomes: an app in a host, connected to a db.
func readPlan(t testing.TB) plan.Deployment {
	t.Helper()
	data, err := os.ReadFile("testdata/small.plan.json")
	if err != nil {
		t.Fatal(err)
	}
	var p plan.Deployment
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// addDeployment stores a deployment made from the small plan, changed by edit
// if not nil. Instance ids get the deployment's id in front.
func addDeployment(t testing.TB, st store.Store, id string, edit func(p *plan.Deployment)) {
	t.Helper()
	p := readPlan(t)
	if edit != nil {
		edit(&p)
	}
	owned := store.Owned{Tenant: "default_tenant", Visibility: store.Tenants, CreatedBy: "admin", CreatedAt: time.Now().UTC()}
	d := store.Deployment{
		Owned: owned, ID: id, DisplayName: id, BlueprintID: "bp", Workflows: p.Workflows, UpdatedAt: owned.CreatedAt,
		Inputs: p.Inputs, Groups: p.Groups, ScalingGroups: p.ScalingGroups,
	}
	var nodes []store.Node
	for k, n := range p.Nodes {
		nodes = append(nodes, store.Node{
			Tenant: owned.Tenant, DeploymentID: id, BlueprintID: "bp", ID: n.ID, Type: n.Type, TypeHierarchy: n.TypeHierarchy,
			Properties: n.Properties, Operations: n.Operations, Relationships: n.Relationships, Plugins: n.Plugins,
			HostID: n.HostID, Visibility: owned.Visibility, CreatedBy: owned.CreatedBy, Position: k,
			Scalable: store.NodeScale{Current: 1, Planned: 1, Deploy: 1, Min: 1, Max: plan.Unbounded},
		})
	}
	var instances []store.NodeInstance
	index := map[string]int{}
	for _, i := range p.NodeInstances {
		index[i.NodeID]++
		relationships := slices.Clone(i.Relationships)
		for k := range relationships {
			relationships[k].TargetID = id + "-" + relationships[k].TargetID
		}
		instances = append(instances, store.NodeInstance{
			Tenant: owned.Tenant, DeploymentID: id, NodeID: i.NodeID, ID: id + "-" + i.ID, Index: index[i.NodeID],
			State: "uninitialized", Version: 1, RuntimeProperties: map[string]any{}, Relationships: relationships,
			ScalingGroups: i.ScalingGroups, Visibility: owned.Visibility, CreatedBy: owned.CreatedBy,
		})
	}
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.GetTenant(ctx, owned.Tenant); err != nil {
			if err := tx.AddTenant(ctx, store.Tenant{Name: owned.Tenant, CreatedAt: owned.CreatedAt}); err != nil {
				return err
			}
			if err := tx.AddBlueprint(ctx, store.Blueprint{Owned: owned, ID: "bp", State: store.BlueprintUploaded, UpdatedAt: owned.CreatedAt}); err != nil {
				return err
			}
		}
		if err := tx.AddDeployment(ctx, d); err != nil {
			return err
		}
		if err := tx.AddNodes(ctx, nodes); err != nil {
			return err
		}
		return tx.AddInstances(ctx, instances)
	})
}

func write(t testing.TB, st store.Store, fn func(ctx context.Context, tx store.Tx) error) {
	t.Helper()
	if err := st.Write(t.Context(), func(tx store.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// instanceStates returns the states of a deployment's instances by node.
func instanceStates(t testing.TB, st store.Store, deployment string) map[string]string {
	t.Helper()
	page, err := st.ListInstances(t.Context(), store.Query{Filters: []store.Filter{{Field: "deployment_id", Values: []string{deployment}}}})
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, i := range page.Items {
		states[i.NodeID] = i.State
	}
	return states
}

// eventsOf returns an execution's events (not its logs), one line each.
func eventsOf(t testing.TB, st store.Store, id string) []string {
	t.Helper()
	events, err := st.TailEvents(t.Context(), id, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for k, e := range events {
		if e.Seq != int64(k+1) {
			t.Fatalf("event %d has sequence number %d", k+1, e.Seq)
		}
		if e.Type == store.TypeEvent {
			lines = append(lines, strings.TrimSpace(strings.Join([]string{e.EventType, e.NodeID, lastPart(e.Operation), e.Message}, " ")))
		}
	}
	return lines
}

func lastPart(operation string) string {
	return operation[strings.LastIndex(operation, ".")+1:]
}

func pointer[T any](v T) *T { return &v }

var noScope functions.Scope

func logsOf(t testing.TB, st store.Store, id string) []string {
	t.Helper()
	events, err := st.TailEvents(t.Context(), id, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range events {
		if e.Type == store.TypeLog {
			lines = append(lines, e.Level+" "+e.Message)
		}
	}
	return lines
}
