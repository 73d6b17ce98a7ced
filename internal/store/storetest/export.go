package storetest

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"crypto/sha256"

	"windlass/internal/store"
)

// unexported are the tables that no export has, for good reasons: blobs are
// exported as files, and snapshots are not part of snapshots.
var unexported = []string{"blobs", "blob_chunks", "snapshots", "snapshot_chunks", "goose_db_version", "sqlite_sequence"}

// CheckTables fails if the database has a table or column that exports leave
// out, or the other way round. schema holds the columns of all tables.
func CheckTables(t *testing.T, schema map[string][]string, tables []store.Table) {
	t.Helper()
	exported := map[string]bool{}
	for _, one := range tables {
		exported[one.Name] = true
		var names []string
		for _, c := range one.Columns {
			names = append(names, c.Name)
		}
		for _, column := range schema[one.Name] {
			if !slices.Contains(names, column) && column != "num" && column != "storage_id" {
				t.Errorf("column %s.%s is not exported: add it to the tables of sqlstore", one.Name, column)
			}
		}
		for _, name := range names {
			if !slices.Contains(schema[one.Name], name) {
				t.Errorf("the exported column %s.%s is not in the database", one.Name, name)
			}
		}
	}
	for name := range schema {
		if !exported[name] && !slices.Contains(unexported, name) {
			t.Errorf("table %s is not exported: add it to the tables of sqlstore, or here to those left out", name)
		}
	}
}

// Fill adds at least one row to each table of an empty store. It returns the
// content of a blob that it stored.
func Fill(ctx context.Context, st store.Store) ([]byte, error) {
	content := []byte(strings.Repeat("archive ", 200_000))
	sum := sha256.Sum256(content)
	hash := hex.EncodeToString(sum[:])
	err := st.Write(ctx, func(tx store.Tx) error {
		b := sampleBlueprint("bp")
		b.ArchiveHash = hash
		return firstOf(
			func() error { return tx.AddTenant(ctx, store.Tenant{Name: "a", CreatedAt: at(0)}) },
			func() error { return tx.AddTenant(ctx, store.Tenant{Name: "b", CreatedAt: at(1)}) },
			func() error {
				return tx.AddUser(ctx, store.User{Username: "jo", PasswordHash: "h", Role: "default", Active: true, CreatedAt: at(2)})
			},
			func() error { return tx.SetMember(ctx, store.TenantMember{Tenant: "a", Username: "jo", Role: "user"}) },
			func() error {
				return tx.AddToken(ctx, store.Token{ID: "t", Username: "jo", SecretHash: "s", CreatedAt: at(3)})
			},
			func() error {
				return tx.AddSecret(ctx, store.Secret{Owned: owned("a", 4), Key: "k", Sealed: []byte{0, 1, 255}})
			},
			func() error {
				return tx.PutSetting(ctx, store.Setting{Scope: "rest", Name: "n", Value: int64(3), UpdatedAt: at(5)})
			},
			func() error {
				return tx.AddSite(ctx, store.Site{Owned: owned("a", 6), Name: "here", Location: "1,2"})
			},
			func() error { return tx.AddFilter(ctx, sampleFilter("f")) },
			func() error { return tx.PutBlob(ctx, hash, strings.NewReader(string(content))) },
			func() error { return tx.AddBlueprint(ctx, b) },
			func() error { return tx.AddPlugin(ctx, samplePlugin("p", "1.0")) },
			func() error { return tx.AddDeployment(ctx, sampleDeployment("d")) },
			func() error { return tx.AddNodes(ctx, []store.Node{sampleNode("n")}) },
			func() error { return tx.AddInstances(ctx, []store.NodeInstance{sampleInstance("n_1")}) },
			func() error { return tx.AddModification(ctx, sampleModification("m")) },
			func() error { return tx.AddDeploymentUpdate(ctx, sampleUpdate("u")) },
			func() error { return tx.AddPluginsUpdate(ctx, samplePluginsUpdate("pu")) },
			func() error { _, err := tx.PutDependency(ctx, sampleDependency("dep")); return err },
			func() error { return tx.AddSchedule(ctx, sampleSchedule("s", at(9000))) },
			func() error { return tx.AddApproval(ctx, sampleApproval("ap")) },
			func() error { return tx.AddHookCall(ctx, sampleHookCall("h")) },
			func() error { return tx.AddDeploymentGroup(ctx, store.DeploymentGroup{Owned: owned("a", 7), ID: "g"}) },
			func() error { return tx.AddGroupMembers(ctx, "a", "g", []string{"d"}) },
			func() error {
				return tx.AddExecutionGroup(ctx, store.ExecutionGroup{Owned: owned("a", 8), ID: "eg", WorkflowID: "w"})
			},
		)
	})
	for i := range 3 {
		if err != nil {
			break
		}
		err = fillExecution(ctx, st, fmt.Sprint("e", i))
	}
	return content, err
}

func firstOf(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// fillExecution adds an execution with a graph, an operation, events and logs.
func fillExecution(ctx context.Context, st store.Store, id string) error {
	return st.Write(ctx, func(tx store.Tx) error {
		e := sampleExecution(id)
		e.TokenHash = "hash of " + id
		line := sampleEvent(id)
		line.Type = store.TypeLog
		return firstOf(
			func() error { return tx.AddExecution(ctx, e) },
			func() error {
				return tx.AddGraph(ctx, store.Graph{ID: "graph " + id, ExecutionID: id, Name: "n", CreatedAt: at(1)}, []store.Operation{{
					ID: "op " + id, GraphID: "graph " + id, Type: "RemoteWorkflowTask", State: "succeeded", CreatedAt: at(2),
				}})
			},
			func() error { return tx.AddEvents(ctx, []store.Event{sampleEvent(id), line, sampleEvent(id)}) },
		)
	})
}

// rowsOf are all rows of a store as text, by table.
func rowsOf(s *subject, v store.View) map[string][]string {
	s.Helper()
	all := map[string][]string{}
	for _, t := range s.Tables() {
		s.must(v.EachRow(s.ctx(), t.Name, func(row []any) error {
			cells := make([]string, len(row))
			for i, c := range row {
				cells[i] = fmt.Sprintf("%s=%#v", t.Columns[i].Name, c)
			}
			all[t.Name] = append(all[t.Name], strings.Join(cells, " "))
			return nil
		}))
	}
	return all
}

// export copies all rows of a store out of it.
func export(s *subject) (rows map[string][][]any, shown map[string][]string) {
	s.Helper()
	rows = map[string][][]any{}
	s.must(s.Freeze(s.ctx(), func(v store.View) error {
		shown = rowsOf(s, v)
		for _, t := range s.Tables() {
			s.must(v.EachRow(s.ctx(), t.Name, func(row []any) error {
				rows[t.Name] = append(rows[t.Name], slices.Clone(row))
				return nil
			}))
		}
		return nil
	}))
	return rows, shown
}

func load(s *subject, tx store.Tx, rows map[string][][]any) error {
	for _, t := range s.Tables() {
		var columns []string
		for _, c := range t.Columns {
			columns = append(columns, c.Name)
		}
		if err := tx.LoadRows(s.ctx(), t.Name, columns, rows[t.Name]); err != nil {
			return err
		}
	}
	return tx.EndLoad(s.ctx())
}

var exportTests = []test{
	{"out and in again", func(s *subject) {
		_, err := Fill(s.ctx(), s)
		s.must(err)
		rows, before := export(s)
		for _, t := range s.Tables() {
			if len(rows[t.Name]) == 0 {
				s.Errorf("Fill leaves the table %s empty: what is exported of it is not tested", t.Name)
			}
		}
		s.write(func(tx store.Tx) error {
			if err := tx.Clear(s.ctx(), "there is none"); err != nil {
				return err
			}
			return load(s, tx, rows)
		})
		_, after := export(s)
		same(s, after, before)
		s.must(fillExecution(s.ctx(), s, "afterwards")) // its number is a new one
		got, err := s.ListExecutions(s.ctx(), store.Query{})
		s.must(err)
		if got.Total != 4 {
			s.Fatalf("%d executions, want 4", got.Total)
		}
	}},
	{"an execution stays", func(s *subject) {
		_, err := Fill(s.ctx(), s)
		s.must(err)
		rows, _ := export(s)
		fence := s.seed("a", "other", "keeper")
		s.must(fillExecution(s.ctx(), s, "goes"))
		s.write(func(tx store.Tx) error { return tx.AddEvents(s.ctx(), []store.Event{sampleEvent("keeper")}) })
		s.write(func(tx store.Tx) error {
			if err := tx.Clear(s.ctx(), "keeper"); err != nil {
				return err
			}
			if err := load(s, tx, rows); err != nil {
				return err
			}
			return tx.CheckFence(s.ctx(), fence)
		})
		page, err := s.ListExecutions(s.ctx(), store.Query{Sort: []store.SortKey{{Field: "id"}}})
		s.must(err)
		var ids []string
		for _, e := range page.Items {
			ids = append(ids, e.ID)
			events, err := s.TailEvents(s.ctx(), e.ID, 0, 10)
			s.must(err)
			want := 3
			if e.ID == "keeper" {
				want = 1
			}
			if len(events) != want {
				s.Errorf("%s has %d events, want %d", e.ID, len(events), want)
			}
		}
		same(s, ids, []string{"e0", "e1", "e2", "keeper"})
		ops, err := s.ListOperations(s.ctx(), where(field("execution_id", "e1")))
		s.must(err)
		if len(ops.Items) != 1 || ops.Items[0].ID != "op e1" {
			s.Errorf("operations of e1: %+v", ops.Items)
		}
		_, err = s.GetDeployment(s.ctx(), "a", "other")
		s.missing(err, "Deployment", "other")
	}},
	{"all or nothing", func(s *subject) {
		_, err := Fill(s.ctx(), s)
		s.must(err)
		rows, before := export(s)
		rows["tenants"] = append(rows["tenants"], rows["tenants"][0])
		s.refused(store.ErrExists, func(tx store.Tx) error {
			if err := tx.Clear(s.ctx(), ""); err != nil {
				return err
			}
			return load(s, tx, rows)
		})
		_, after := export(s)
		same(s, after, before)
	}},
	{"one moment", func(s *subject) {
		content, err := Fill(s.ctx(), s)
		s.must(err)
		s.must(s.Freeze(s.ctx(), func(v store.View) error {
			before := rowsOf(s, v)
			s.must(fillExecution(s.ctx(), s, "meanwhile"))
			s.write(func(tx store.Tx) error { return tx.AddTenant(s.ctx(), store.Tenant{Name: "new", CreatedAt: at(0)}) })
			same(s, rowsOf(s, v), before)
			hashes, err := v.ListBlobs(s.ctx())
			s.must(err)
			if len(hashes) != 1 || !sort.StringsAreSorted(hashes) {
				s.Fatalf("blobs %v", hashes)
			}
			sum := sha256.Sum256(content)
			same(s, hashes[0], hex.EncodeToString(sum[:]))
			return nil
		}))
		_, err = s.GetTenant(s.ctx(), "new")
		s.must(err)
	}},
	{"what is asked for must be there", func(s *subject) {
		s.must(s.Freeze(s.ctx(), func(v store.View) error {
			if err := v.EachRow(s.ctx(), "passwords", func([]any) error { return nil }); err == nil {
				s.Error("a table that there is not was exported")
			}
			return nil
		}))
		err := s.Write(s.ctx(), func(tx store.Tx) error {
			return tx.LoadRows(s.ctx(), "tenants", []string{"name", "colour"}, [][]any{{"a", "blue"}})
		})
		if err == nil || !strings.Contains(err.Error(), `no column "colour"`) {
			s.Errorf("got %v", err)
		}
	}},
}
