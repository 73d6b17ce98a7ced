package rest

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"windlass/internal/access"
	"windlass/internal/approval"
	"windlass/internal/catalog"
	"windlass/internal/execution"
	"windlass/internal/snapshot"
	"windlass/internal/store"
	"windlass/internal/value"
)

// started is when everything in a test happens, unless the test says so.
var started = time.Date(2026, 5, 1, 10, 20, 30, 123_000_000, time.UTC)

const masterKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// api is a served API on a real store, with stand-ins for the rooms behind it.
type api struct {
	t      *testing.T
	url    string
	server *server
	store  store.Store
	access *access.Service
	rooms  *rooms
}

// rooms stands in for executions, the catalog and the files: it stores records
// as they do, and runs nothing.
type rooms struct {
	store store.Store
	dir   string

	mu      sync.Mutex
	uploads []catalog.Upload
	content []string // of the archives uploaded
	starts  []execution.StartRequest
	acts    []string
	evals   []map[string]any
	stuck   bool // waits don't end
}

func newAPI(t *testing.T, change ...func(*Config)) *api {
	t.Helper()
	db := openStore(t)
	keys, err := access.NewKeyring(masterKey)
	if err != nil {
		t.Fatal(err)
	}
	users, err := access.New(access.Config{Store: db, Keys: keys, Cost: access.PasswordCost{Memory: 8, Passes: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := users.Bootstrap(t.Context(), "admin-password"); err != nil {
		t.Fatal(err)
	}
	r := &rooms{store: db, dir: t.TempDir()}
	snapshots, err := snapshot.New(snapshot.Config{Store: db, Keys: users, TempDir: filepath.Join(t.TempDir(), "snapshots"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	snapshots.Start = r
	library, err := catalog.OpenLibrary(db, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	stopping := make(chan struct{})
	cfg := Config{
		Store: db, Access: users, Executions: r, Approvals: approval.NewService(db, "here", time.Now), Catalog: r, Files: r, Snapshots: snapshots, Plugins: catalog.New(catalog.Config{Store: db, Library: library, Now: func() time.Time { return started }}), Version: "7.1.0", Host: "here", Address: "127.0.0.1",
		Why: r.why, Stopping: stopping, CreateWait: 2 * time.Second,
	}
	for _, f := range change {
		f(&cfg)
	}
	s, err := newServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.handler()
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(h)
	t.Cleanup(func() { close(stopping); web.Close() })
	return &api{t: t, url: web.URL, server: s, store: db, access: users, rooms: r}
}

// ask is a request and what is to come of it.
type ask struct {
	method, path string
	body         any // sent as JSON; string and io.Reader as they are
	user         string
	tenant       string // "": default_tenant, "-": none
	header       map[string]string
}

// answered is what came back.
type answered struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// do sends a request as admin of the default tenant unless it says otherwise.
func (a *api) do(q ask) answered {
	a.t.Helper()
	var body io.Reader
	switch b := q.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	case io.Reader:
		body = b
	default:
		body = bytes.NewReader(value.Encode(b))
	}
	path := q.path
	if !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/resources/") {
		path = prefix + path
	}
	req, err := http.NewRequestWithContext(a.t.Context(), q.method, a.url+path, body)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	switch q.user {
	case "":
		setBasic(req, "admin:admin-password")
	case "-":
	default:
		setBasic(req, q.user)
	}
	switch q.tenant {
	case "":
		req.Header.Set("Tenant", access.DefaultTenant)
	case "-":
	default:
		req.Header.Set("Tenant", q.tenant)
	}
	for k, v := range q.header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return answered{a.t, resp.StatusCode, resp.Header, data}
}

func setBasic(r *http.Request, userPassword string) {
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(userPassword)))
}

func (a *api) get(path string) answered { a.t.Helper(); return a.do(ask{method: "GET", path: path}) }

// is checks the status.
func (r answered) is(status int) answered {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	return r
}

// refused checks the status, the error code and a part of the message.
func (r answered) refused(code, message string) {
	r.t.Helper()
	o := r.object()
	if o["error_code"] != code || r.status != statuses[code] || !strings.Contains(fmt.Sprint(o["message"]), message) {
		r.t.Errorf("status %d, %s\nwant %d %s with %q", r.status, r.body, statuses[code], code, message)
	}
	if v, there := o["server_traceback"]; v != nil || !there {
		r.t.Errorf("server_traceback must be null: %s", r.body)
	}
}

func (r answered) value() any {
	r.t.Helper()
	v, err := value.Decode(r.body)
	if err != nil {
		r.t.Fatalf("status %d, not JSON: %v: %s", r.status, err, r.body)
	}
	return v
}

func (r answered) object() object {
	r.t.Helper()
	o, isObject := r.value().(object)
	if !isObject {
		r.t.Fatalf("not an object: %s", r.body)
	}
	return o
}

// items gives the items of a list and checks its envelope.
func (r answered) items() []object {
	r.t.Helper()
	o := r.is(http.StatusOK).object()
	pagination := o["metadata"].(object)["pagination"].(object)
	for _, name := range []string{"total", "size", "offset"} {
		if _, isInt := pagination[name].(int64); !isInt {
			r.t.Errorf("pagination.%s is not a number: %s", name, r.body)
		}
	}
	raw, isList := o["items"].([]any)
	if !isList {
		r.t.Fatalf("items is not a list: %s", r.body)
	}
	out := make([]object, len(raw))
	for i, item := range raw {
		out[i] = item.(object)
	}
	return out
}

// column gives one field of each item of a list.
func (r answered) column(name string) []string {
	r.t.Helper()
	var out []string
	for _, o := range r.items() {
		out = append(out, fmt.Sprint(o[name]))
	}
	return out
}

func (a *api) write(fn func(tx store.Tx) error) {
	a.t.Helper()
	if err := a.store.Write(a.t.Context(), fn); err != nil {
		a.t.Fatal(err)
	}
}

// member makes a user with a role in a tenant; the password is the name.
func (a *api) member(name, tenant, role string) {
	a.t.Helper()
	if _, err := a.access.AddUser(a.t.Context(), access.NewUser{Username: name, Password: name + "-password"}); err != nil {
		a.t.Fatal(err)
	}
	if role != "" {
		if err := a.access.SetMember(a.t.Context(), store.TenantMember{Tenant: tenant, Username: name, Role: role}, true); err != nil {
			a.t.Fatal(err)
		}
	}
}

func login(name string) string { return name + ":" + name + "-password" }

func owned(by string) store.Owned {
	return store.Owned{Tenant: access.DefaultTenant, Visibility: store.Tenants, CreatedBy: by, CreatedAt: started}
}

// deployment stores a blueprint and a deployment of it.
func (a *api) deployment(id string, change ...func(*store.Deployment)) store.Deployment {
	a.t.Helper()
	d := store.Deployment{Owned: owned("admin"), ID: id, DisplayName: id, BlueprintID: "bp-" + id, UpdatedAt: started}
	for _, f := range change {
		f(&d)
	}
	a.write(func(tx store.Tx) error {
		b := store.Blueprint{Owned: d.Owned, ID: d.BlueprintID, State: store.BlueprintUploaded, UpdatedAt: started}
		if _, err := tx.GetBlueprint(a.t.Context(), d.Tenant, b.ID); err != nil {
			if err := tx.AddBlueprint(a.t.Context(), b); err != nil {
				return err
			}
		}
		return tx.AddDeployment(a.t.Context(), d)
	})
	return d
}

// execution stores an execution.
func (a *api) execution(e store.Execution) store.Execution {
	a.t.Helper()
	if e.ID == "" {
		e.ID = uuid.NewString()
	}
	if e.Tenant == "" {
		e.Owned = owned("admin")
	}
	if e.WorkflowID == "" {
		e.WorkflowID = "install"
	}
	a.write(func(tx store.Tx) error { return tx.AddExecution(a.t.Context(), e) })
	return e
}

// What the rooms behind the API do.

// scheduler is the real one: it needs nothing that runs.
func (r *rooms) scheduler() (*execution.Service, error) {
	return execution.New(execution.Config{Store: r.store, ManagerName: "m"})
}

func (r *rooms) Pause(ctx context.Context, tenant, id string) (store.Execution, error) {
	s, err := r.scheduler()
	if err != nil {
		return store.Execution{}, err
	}
	return s.Pause(ctx, tenant, id)
}

func (r *rooms) ReadLimits(context.Context) error { return nil }

func (r *rooms) LetIn(context.Context, store.Tx) error { return nil }

func (r *rooms) Remove(ctx context.Context, ids []string) (int, error) {
	return len(ids), r.store.Write(ctx, func(tx store.Tx) error { return tx.DeleteExecutions(ctx, ids) })
}

func (r *rooms) Continue(ctx context.Context, tenant, id string) (store.Execution, error) {
	s, err := r.scheduler()
	if err != nil {
		return store.Execution{}, err
	}
	return s.Continue(ctx, tenant, id)
}

func (r *rooms) StartUpdate(ctx context.Context, q execution.StartRequest) (store.DeploymentUpdate, error) {
	s, err := r.scheduler()
	if err != nil {
		return store.DeploymentUpdate{}, err
	}
	return s.StartUpdate(ctx, q)
}

func (r *rooms) Wait(ctx context.Context, id string) (store.Execution, error) {
	return r.store.GetExecution(ctx, id)
}

func (r *rooms) StartModification(ctx context.Context, q execution.ModificationRequest) (store.Modification, error) {
	s, err := r.scheduler()
	if err != nil {
		return store.Modification{}, err
	}
	return s.StartModification(ctx, q)
}

func (r *rooms) FinishModification(ctx context.Context, tenant, id string) (store.Modification, error) {
	s, err := r.scheduler()
	if err != nil {
		return store.Modification{}, err
	}
	return s.FinishModification(ctx, tenant, id)
}

func (r *rooms) RollbackModification(ctx context.Context, tenant, id string) (store.Modification, error) {
	s, err := r.scheduler()
	if err != nil {
		return store.Modification{}, err
	}
	return s.RollbackModification(ctx, tenant, id)
}

func (r *rooms) StartGroup(ctx context.Context, q execution.GroupRequest) (store.ExecutionGroup, error) {
	s, err := r.scheduler()
	if err != nil {
		return store.ExecutionGroup{}, err
	}
	return s.StartGroup(ctx, q)
}

func (r *rooms) AddGroup(ctx context.Context, g store.ExecutionGroup) error {
	s, err := r.scheduler()
	if err != nil {
		return err
	}
	return s.AddGroup(ctx, g)
}

func (r *rooms) ActOnGroup(ctx context.Context, tenant, id string, how execution.Action) error {
	s, err := r.scheduler()
	if err != nil {
		return err
	}
	return s.ActOnGroup(ctx, tenant, id, how)
}

func (r *rooms) UpdateGroup(ctx context.Context, tenant, id string, n *int, success, failure *string) (store.ExecutionGroup, error) {
	s, err := r.scheduler()
	if err != nil {
		return store.ExecutionGroup{}, err
	}
	return s.UpdateGroup(ctx, tenant, id, n, success, failure)
}

func (r *rooms) Maintenance(ctx context.Context) (execution.Maintenance, error) {
	s, err := r.scheduler()
	if err != nil {
		return execution.Maintenance{}, err
	}
	return s.Maintenance(ctx)
}

func (r *rooms) SetMaintenance(ctx context.Context, on bool, by string) (execution.Maintenance, bool, error) {
	s, err := r.scheduler()
	if err != nil {
		return execution.Maintenance{}, false, err
	}
	return s.SetMaintenance(ctx, on, by)
}

func (r *rooms) StartLater(ctx context.Context, q execution.StartRequest, at time.Time) (store.Execution, error) {
	s, err := r.scheduler()
	if err != nil {
		return store.Execution{}, err
	}
	return s.StartLater(ctx, q, at)
}

func (r *rooms) AddSchedule(ctx context.Context, tx store.Tx, sc store.Schedule) (store.Schedule, error) {
	s, err := r.scheduler()
	if err != nil {
		return sc, err
	}
	return s.AddSchedule(ctx, tx, sc)
}

func (r *rooms) ChangeSchedule(ctx context.Context, tenant, deployment, id string, change func(*store.Schedule) error) (store.Schedule, error) {
	s, err := r.scheduler()
	if err != nil {
		return store.Schedule{}, err
	}
	return s.ChangeSchedule(ctx, tenant, deployment, id, change)
}

func (r *rooms) Start(ctx context.Context, q execution.StartRequest) (store.Execution, error) {
	r.mu.Lock()
	r.starts = append(r.starts, q)
	r.mu.Unlock()
	if q.WorkflowID == "missing" {
		return store.Execution{}, &execution.Refusal{Code: "nonexistent_workflow_error", Status: 400, Message: "Workflow missing does not exist in the deployment " + q.DeploymentID}
	}
	o := owned(q.CreatedBy)
	o.Tenant = q.Tenant
	e := store.Execution{Owned: o, ID: uuid.NewString(), WorkflowID: q.WorkflowID, DeploymentID: q.DeploymentID, Status: store.Pending, Parameters: q.Parameters}
	return e, r.store.Write(ctx, func(tx store.Tx) error { return tx.AddExecution(ctx, e) })
}

func (r *rooms) act(ctx context.Context, id, action string) (store.Execution, error) {
	r.mu.Lock()
	r.acts = append(r.acts, action)
	r.mu.Unlock()
	return r.store.GetExecution(ctx, id)
}

func (r *rooms) Cancel(ctx context.Context, _, id string, how execution.Action) (store.Execution, error) {
	return r.act(ctx, id, string(how))
}

func (r *rooms) Resume(ctx context.Context, _, id string, force bool) (store.Execution, error) {
	return r.act(ctx, id, fmt.Sprintf("resume force=%t", force))
}

func (r *rooms) UpdateStatus(ctx context.Context, u execution.StatusUpdate) (store.Execution, error) {
	return r.act(ctx, u.ID, fmt.Sprintf("status %s %s", u.Status, u.Error))
}

func (r *rooms) why(_ context.Context, _, id string) (execution.Reason, error) {
	return execution.Reason{Text: "It waits.", Position: 2, BlockedBy: []store.Execution{{ID: "other", Status: store.Started}},
		Waiting: []execution.WaitingTask{{ID: "t1", Name: "task", For: "a slot"}}}, nil
}

func (r *rooms) UploadBlueprint(ctx context.Context, u catalog.Upload) (store.Blueprint, error) {
	var data []byte
	if u.Archive != nil {
		var err error
		if data, err = io.ReadAll(u.Archive); err != nil {
			return store.Blueprint{}, err
		}
	}
	r.mu.Lock()
	r.uploads, r.content = append(r.uploads, u), append(r.content, string(data))
	r.mu.Unlock()
	o := owned(u.CreatedBy)
	o.Tenant, o.Visibility = u.Tenant, u.Visibility
	b := store.Blueprint{Owned: o, ID: u.ID, State: store.BlueprintUploaded, MainFileName: u.MainFile, Labels: u.Labels, UpdatedAt: started}
	return b, r.store.Write(ctx, func(tx store.Tx) error { return tx.AddBlueprint(ctx, b) })
}

func (r *rooms) waits(ctx context.Context) error {
	r.mu.Lock()
	stuck := r.stuck
	r.mu.Unlock()
	if stuck {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (r *rooms) WaitForUpload(ctx context.Context, b store.Blueprint) (store.Blueprint, error) {
	return b, r.waits(ctx)
}

func (r *rooms) DeleteBlueprint(ctx context.Context, tenant, id string, _ bool) error {
	return r.store.Write(ctx, func(tx store.Tx) error { return tx.DeleteBlueprint(ctx, tenant, id) })
}

func (r *rooms) BlueprintArchive(_ context.Context, _, id string) (io.ReadCloser, string, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader("archive of "), strings.NewReader(id))), id + ".tar.gz", nil
}

func (r *rooms) CreateDeployment(ctx context.Context, c catalog.Creation) (store.Deployment, error) {
	o := owned(c.CreatedBy)
	o.Tenant, o.Visibility = c.Tenant, c.Visibility
	d := store.Deployment{Owned: o, ID: c.ID, DisplayName: c.DisplayName, BlueprintID: c.BlueprintID, Inputs: c.Inputs, Labels: c.Labels, UpdatedAt: started}
	return d, r.store.Write(ctx, func(tx store.Tx) error { return tx.AddDeployment(ctx, d) })
}

func (r *rooms) WaitForEnvironment(ctx context.Context, d store.Deployment) (store.Deployment, error) {
	return d, r.waits(ctx)
}

func (r *rooms) DeleteDeployment(ctx context.Context, d catalog.Deletion) (store.Execution, error) {
	return store.Execution{}, r.store.Write(ctx, func(tx store.Tx) error { return tx.DeleteDeployment(ctx, d.Tenant, d.ID) })
}

func (r *rooms) Outputs(context.Context, string, string) (map[string]any, error) {
	return map[string]any{"url": "http://x", "n": int64(1), "f": 1.0}, nil
}

func (r *rooms) Capabilities(context.Context, string, string) (map[string]any, error) {
	return map[string]any{"cap": "v"}, nil
}

func (r *rooms) EvaluateFunctions(_ context.Context, _, _ string, payload, scope map[string]any) (map[string]any, error) {
	r.mu.Lock()
	r.evals = append(r.evals, scope)
	r.mu.Unlock()
	return payload, nil
}

func (r *rooms) BlueprintDir(_ context.Context, tenant, id string) (string, error) {
	return filepath.Join(r.dir, "blueprints", tenant, id), nil
}

func (r *rooms) WorkDir(tenant, deployment string) (string, error) {
	return filepath.Join(r.dir, "deployments", tenant, deployment), nil
}

func (r *rooms) SharedDir(tenant string) string { return filepath.Join(r.dir, "shared", tenant) }

// StartSystem stores an execution that a system workflow is to run.
func (r *rooms) StartSystem(ctx context.Context, tx store.Tx, q execution.SystemRequest) (store.Execution, error) {
	e := store.Execution{
		Owned: store.Owned{Tenant: q.Tenant, Visibility: store.Tenants, CreatedBy: q.CreatedBy, CreatedAt: started}, ID: uuid.NewString(),
		WorkflowID: q.WorkflowID, Status: store.Pending, Parameters: q.Parameters, IsSystemWorkflow: execution.IsSystemWide(q.WorkflowID),
	}
	return e, tx.AddExecution(ctx, e)
}
