package rest

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"windlass/internal/access"
	"windlass/internal/blueprint/imports"
	"windlass/internal/catalog"
	"windlass/internal/execution"
	"windlass/internal/hook"
	"windlass/internal/store"
	"windlass/internal/value"
)

// setting is one thing that can be configured while the manager runs.
type setting struct {
	scope     string
	name      string
	value     any
	kind      kind
	least     int64 // of an integer
	updatedAt time.Time
	updatedBy string
}

// defaults are the settings as delivered; the store holds those that were changed.
func defaultSettings() []setting {
	return []setting{
		{scope: "rest", name: "blueprint_folder_max_size_mb", value: int64(50), kind: integer},
		{scope: "rest", name: "blueprint_folder_max_files", value: int64(10000), kind: integer},
		{scope: "rest", name: "default_page_size", value: int64(pageSize), kind: integer},
		{scope: "rest", name: catalog.ImportResolverSetting, value: object{"parameters": object{"rules": []any{}, "fallback": true}}, kind: dict},
		// How many executions from the queue run at once, and how many of all one manager runs.
		{scope: "rest", name: execution.ExecutionsSetting, value: int64(execution.DefaultExecutions), kind: integer},
		{scope: "rest", name: execution.ManagerExecutionsSetting, value: int64(execution.DefaultManagerExecutions), kind: integer, least: 1},
		// What to call when executions are queued, start and end.
		{scope: "rest", name: hook.Setting, value: []any{}, kind: list},
		// As the original's 7.x: what can't start beside a system-wide execution waits, also unasked.
		{scope: "rest", name: execution.CatchUpSetting, value: execution.CatchUpSkip, kind: text},
		{scope: "rest", name: "queue_behind_system_wide", value: false, kind: boolean},
		// What is kept of executions that have ended; 0 keeps all.
		{scope: "retention", name: "retention_executions_days", value: int64(execution.KeepExecutionsDays), kind: integer},
		{scope: "retention", name: "retention_executions_count", value: int64(execution.KeepExecutionsCount), kind: integer},
		{scope: "retention", name: "retention_events_days", value: int64(execution.KeepEventsDays), kind: integer},
		{scope: "retention", name: "retention_events_count", value: int64(execution.KeepEventsCount), kind: integer},
		// How many operations run at once; 0 is no limit, for a manager at least 1.
		{scope: "workflow", name: execution.OperationsSetting, value: int64(execution.DefaultOperations), kind: integer, least: 1},
		{scope: "workflow", name: execution.DeploymentOperationsSetting, value: int64(0), kind: integer},
		{scope: "workflow", name: execution.ExecutionOperationsSetting, value: int64(0), kind: integer},
		{scope: "workflow", name: "task_retries", value: int64(60), kind: integer, least: -1},
		{scope: "workflow", name: "task_retry_interval", value: int64(15), kind: integer},
		// By how much the interval grows with each retry, up to how many seconds.
		{scope: "workflow", name: execution.BackoffSetting, value: int64(execution.DefaultBackoff), kind: integer, least: 1},
		{scope: "workflow", name: execution.LongestIntervalSetting, value: int64(execution.DefaultLongestInterval), kind: integer},
		{scope: "workflow", name: "subgraph_retries", value: int64(0), kind: integer, least: -1},
	}
}

var settingShape = shape[setting]{name: "Config", fields: []field[setting]{
	{"name", text, func(c setting) any { return c.name }},
	{"value", any_, func(c setting) any { return c.value }},
	{"schema", dict, func(c setting) any { return object{"type": string(c.kind)} }},
	{"is_editable", boolean, func(setting) any { return true }},
	{"admin_only", boolean, func(setting) any { return false }},
	{"updated_at", moment, func(c setting) any { return date(c.updatedAt) }},
	{"scope", text, func(c setting) any { return c.scope }},
	{"updater_name", text, func(c setting) any { return orNull(c.updatedBy) }},
}}

// settings reads the configuration in force.
func (s *server) settings(r *request) ([]setting, error) {
	changed, err := s.Store.ListSettings(r.Context())
	if err != nil {
		return nil, err
	}
	all := defaultSettings()
	for i := range all {
		for _, c := range changed {
			if c.Scope == all[i].scope && c.Name == all[i].name {
				all[i].value, all[i].updatedAt, all[i].updatedBy = c.Value, c.UpdatedAt, c.UpdatedBy
			}
		}
	}
	return all, nil
}

func (s *server) listConfig(w http.ResponseWriter, r *request) error {
	all, err := s.settings(r)
	if err != nil {
		return err
	}
	scope := r.query.Get("scope")
	items := []any{}
	for _, c := range all {
		if scope == "" || scope == c.scope {
			items = append(items, settingShape.encode(c, nil))
		}
	}
	body := object{"items": items, "metadata": object{"pagination": object{"total": len(items), "size": len(items), "offset": 0}, "filtered": nil}}
	if scope == "" || scope == "authorization" {
		if body["authorization"], err = s.authorization(r); err != nil {
			return err
		}
	}
	return ok(w, body)
}

// authorization is the table of roles and permissions in force.
func (s *server) authorization(r *request) (object, error) {
	grants, err := s.Access.Grants(r.Context(), "")
	if err != nil {
		return nil, err
	}
	holders := map[string][]any{}
	for _, p := range access.Permissions() {
		holders[p] = []any{}
	}
	for _, g := range grants {
		holders[g.Permission] = append(holders[g.Permission], g.Role)
	}
	var roles []any
	for i, role := range access.Roles {
		roles = append(roles, object{"id": i, "name": role.Name, "type": role.Type, "description": role.Description})
	}
	return object{"roles": roles, "permissions": typed(holders)}, nil
}

func (s *server) findSetting(r *request) (setting, error) {
	name, scope := r.PathValue("name"), ""
	if before, after, dotted := strings.Cut(name, "."); dotted {
		scope, name = before, after
	}
	all, err := s.settings(r)
	if err != nil {
		return setting{}, err
	}
	var found []setting
	for _, c := range all {
		if c.name == name && (scope == "" || scope == c.scope) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return setting{}, notFound("Config", r.PathValue("name"))
	case 1:
		return found[0], nil
	}
	return setting{}, fail("ambiguous_name", "Expected 1 value, but found %d: name it with its scope", len(found))
}

func (s *server) getConfig(w http.ResponseWriter, r *request) error {
	c, err := s.findSetting(r)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, settingShape, c)
}

func (s *server) putConfig(w http.ResponseWriter, r *request) error {
	c, err := s.findSetting(r)
	if err != nil {
		return err
	}
	v := r.body["value"]
	if str, isText := v.(string); isText && c.kind != text { // the command line sends text
		if decoded, err := value.Decode([]byte(str)); err == nil {
			v = decoded
		}
	}
	if !c.kind.fits(v) {
		return fail("conflict_error", "Error validating %s: %s is not of type '%s'", c.name, value.Repr(v), c.kind)
	}
	if str, isText := v.(string); c.name == execution.CatchUpSetting && isText && !execution.IsCatchUp(str) {
		return fail("conflict_error", "Error validating %s: %s is not one of ['skip', 'once', 'all']", c.name, value.Repr(v))
	}
	if c.name == catalog.ImportResolverSetting {
		if _, err := imports.ParseRules(v); err != nil {
			return fail("conflict_error", "Error validating %s: %v", c.name, err)
		}
	}
	if c.name == hook.Setting {
		if _, err := hook.Parse(v); err != nil {
			return fail("conflict_error", "Error validating %s: %v", c.name, err)
		}
	}
	if n, isInt := v.(int64); isInt && n < c.least {
		return fail("conflict_error", "Error validating %s: %d is less than the minimum of %d", c.name, n, c.least)
	}
	c.value, c.updatedAt, c.updatedBy = v, s.Now(), r.caller.Username
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if err := tx.PutSetting(r.Context(), store.Setting{
			Scope: c.scope, Name: c.name, Value: v, UpdatedAt: c.updatedAt, UpdatedBy: c.updatedBy,
		}); err != nil || c.name != execution.ExecutionsSetting {
			return err
		}
		return s.Executions.LetIn(r.Context(), tx)
	})
	if err != nil {
		return err
	}
	if err := s.heed(r); err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, settingShape, c)
}

// heed lets a change of the settings count at once.
func (s *server) heed(r *request) error {
	err := s.Executions.ReadLimits(r.Context())
	if s.Hooks != nil {
		err = errors.Join(err, s.Hooks.Refresh(r.Context()))
	}
	return err
}

// The provider context is a free-form setting that profiles read.
const contextScope, contextName = "provider", "context"

func (s *server) providerContext(r *request) (object, bool, error) {
	changed, err := s.Store.ListSettings(r.Context())
	if err != nil {
		return nil, false, err
	}
	for _, c := range changed {
		if m, isMap := c.Value.(map[string]any); isMap && c.Scope == contextScope && c.Name == contextName {
			return m, true, nil
		}
	}
	return object{"name": "provider", "context": object{"cloudify": object{"workflows": object{}}}}, false, nil
}

func (s *server) getProviderContext(w http.ResponseWriter, r *request) error {
	m, _, err := s.providerContext(r)
	if err != nil {
		return err
	}
	return ok(w, m)
}

func (s *server) postProviderContext(w http.ResponseWriter, r *request) error {
	update, err := r.queryFlag("update", false)
	if err != nil {
		return err
	}
	_, there, err := s.providerContext(r)
	if err != nil {
		return err
	}
	if there && !update {
		return fail("conflict_error", "Provider context already set")
	}
	v := object{"name": r.str("name"), "context": r.dict("context")}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		return tx.PutSetting(r.Context(), store.Setting{
			Scope: contextScope, Name: contextName, Value: v, UpdatedAt: s.Now(), UpdatedBy: r.caller.Username,
		})
	})
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if update {
		status = http.StatusOK
	}
	writeJSON(w, status, object{"status": "ok"})
	return nil
}
