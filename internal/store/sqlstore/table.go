package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"windlass/internal/store"
)

// table is a table as exports know it.
type table struct {
	store.Table
	order string // of insertion
	// shifts names the column that counts rows for other tables, or a reference
	// to such a column, and whose numbers they are: an import gives out others.
	shifts map[string]string
}

// tables are all that is exported, each after those it refers to. Blobs are not
// among them, and snapshots stay where they are. Columns are
// texts unless they say otherwise. A row's number is only there where others
// name it; it is given anew by the order of insertion elsewhere.
var tables = []table{
	tableOf("tenants", "num", "name created_at:number"),
	tableOf("users", "num", `username password_hash role active:boolean bootstrap:boolean created_at:number first_login_at:number
		last_login_at:number failed_logins:number last_failed_login_at:number getting_started:boolean`),
	tableOf("tenant_members", "tenant, username", "tenant username role"),
	tableOf("tokens", "num", "id username secret_hash description created_at:number expires_at:number last_used:number"),
	tableOf("secrets", "num", `tenant name visibility created_by created_at:number sealed:bytes is_hidden:boolean updated_at:number
		json_schema provider_name provider_options`),
	tableOf("settings", "scope, name", "scope name value updated_at:number updated_by"),
	tableOf("sites", "num", "tenant name visibility created_by created_at:number location"),
	tableOf("filters", "num", "tenant kind id visibility created_by created_at:number updated_at:number rules"),
	tableOf("blueprints", "num", `tenant id visibility created_by created_at:number main_file_name description updated_at:number
		is_hidden:boolean state error error_traceback labels upload_execution_id archive_hash archive_suffix requirements plan`),
	tableOf("plugins", "num", `tenant id visibility created_by created_at:number title package_name package_version package_key
		package_source archive_name archive_hash supported_platform distribution distribution_version distribution_release
		supported_py_versions wheels excluded_wheels labels blueprint_labels resource_tags yaml_names installations icon:bytes
		yaml_files`),
	tableOf("deployments", "num", `tenant id visibility created_by created_at:number display_name description blueprint_id site_name
		updated_at:number runtime_only_evaluation:boolean installation_status deployment_status latest_execution_id
		create_execution_id unavailable_instances:number drifted_instances:number labels inputs outputs capabilities resource_tags
		deployment_settings node_groups scaling_groups policy_types policy_triggers workflows`),
	tableOf("nodes", "num", `tenant deployment_id id visibility created_by blueprint_id type host_id position:number
		current_instances:number planned_instances:number deploy_instances:number min_instances:number max_instances:number
		type_hierarchy properties operations relationships plugins plugins_to_install`),
	tableOf("node_instances", "num", `tenant id visibility created_by deployment_id node_id host_id node_index:number state
		version:number status_ok:boolean drifted:boolean relationships scaling_groups system_properties runtime_properties`),
	tableOf("deployment_modifications", "num", `tenant id visibility created_by created_at:number deployment_id execution_id status
		ended_at:number context modified_nodes node_instances`),
	tableOf("deployment_updates", "num", `tenant id visibility created_by created_at:number deployment_id execution_id
		old_blueprint_id new_blueprint_id state runtime_only:boolean old_inputs new_inputs details`),
	tableOf("plugins_updates", "num", `tenant id visibility created_by created_at:number blueprint_id temp_blueprint_id execution_id
		state forced:boolean all_tenants:boolean deployments`),
	tableOf("hook_calls", "num", `id tenant execution_id event_type created_at:number implementation inputs facts claimed_until:number
		token_hash`),
	tableOf("dependencies", "num", `tenant source_deployment dependency_creator id visibility created_by created_at:number
		target_deployment target_func external_source external_target`),
	tableOf("execution_schedules", "num", `tenant deployment_id id visibility created_by created_at:number workflow_id parameters
		arguments rule since:number until:number time_zone slip:number stop_on_fail:boolean enabled:boolean next_occurrence:number
		latest_execution_id catch_up`),
	tableOf("deployment_groups", "num", `tenant id visibility created_by created_at:number description blueprint_id default_inputs
		creation_counter:number labels`),
	tableOf("deployment_group_members", "tenant, group_id, deployment_id", "tenant group_id deployment_id"),
	tableOf("execution_groups", "num", `tenant id visibility created_by created_at:number deployment_group_id workflow_id
		concurrency:number success_group_id failure_group_id`),
	tableOf("executions", "num", `num:executions id tenant visibility created_by created_at:number workflow_id deployment_id
		blueprint_id status is_active:boolean started_at:number ended_at:number scheduled_for:number queued_at:number
		is_system_workflow:boolean is_dry_run:boolean resume:boolean allow_custom_parameters:boolean force:boolean
		wait_after_fail:number token_hash error arguments parameters group_id`),
	tableOf("progress", "num", `num:executions execution_id owner epoch:number lease_until:number total_operations:number
		finished_operations:number event_seq:number events:number logs:number`),
	tableOf("graphs", "num", "num:graphs id execution_num:executions name created_at:number"),
	tableOf("operations", "num", `id graph_num:graphs position:number state type name created_at:number manager_name agent_name error
		result dependencies parameters`),
	tableOf("approvals", "num", `tenant id visibility created_by created_at:number execution_id deployment_id operation_id node_id
		instance_id operation_name question details approvers not_by_starter:boolean expires_at:number approve_on_expiry:boolean
		status decided_by decided_at:number comment`),
	tableOf("events", "storage_id", `execution_num:executions seq:number is_log:boolean timestamp:number reported_timestamp:number
		execution_group_id event_type level logger message message_code operation node_id source_id target_id manager_name
		agent_name error_causes`),
}

func tableOf(name, order, columns string) table {
	t := table{Table: store.Table{Name: name}, order: order, shifts: map[string]string{}}
	for _, word := range strings.Fields(columns) {
		column, kind, _ := strings.Cut(word, ":")
		c := store.Column{Name: column, Kind: store.CellKind(kind)}
		switch c.Kind {
		case "":
			c.Kind = store.TextCell
		case store.NumberCell, store.BooleanCell, store.BytesCell:
		default:
			t.shifts[column], c.Kind = kind, store.NumberCell
		}
		t.Columns = append(t.Columns, c)
	}
	return t
}

func findTable(name string) (table, error) {
	i := slices.IndexFunc(tables, func(t table) bool { return t.Name == name })
	if i < 0 {
		return table{}, fmt.Errorf("the store has no table %q to export", name)
	}
	return tables[i], nil
}

func (t table) names() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// Tables are all kinds of rows that an export has.
func (r Reader) Tables() []store.Table {
	list := make([]store.Table, len(tables))
	for i, t := range tables {
		list[i] = t.Table
	}
	return list
}

// View implements store.View on a connection that sees one moment.
type View struct{ Reader }

var _ store.View = View{}

// EachRow calls each for all rows of a table.
func (v View) EachRow(ctx context.Context, name string, each func(row []any) error) (err error) {
	t, err := findTable(name)
	if err != nil {
		return err
	}
	rows, err := v.conn.Query(ctx, "SELECT "+strings.Join(t.names(), ", ")+" FROM "+t.Name+" ORDER BY "+t.order)
	if err != nil {
		return fmt.Errorf("export %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	cells := make([]cell, len(t.Columns))
	targets, row := make([]any, len(cells)), make([]any, len(cells))
	for i := range cells {
		targets[i] = cells[i].of(t.Columns[i].Kind)
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return fmt.Errorf("export %s: %w", name, err)
		}
		for i := range cells {
			row[i] = cells[i].value(t.Columns[i].Kind)
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// cell takes the value of one column of any kind.
type cell struct {
	text    sql.NullString
	number  sql.NullInt64
	boolean sql.NullBool
	bytes   []byte
}

func (c *cell) of(k store.CellKind) any {
	switch k {
	case store.NumberCell:
		return &c.number
	case store.BooleanCell:
		return &c.boolean
	case store.BytesCell:
		return &c.bytes
	}
	return &c.text
}

func (c *cell) value(k store.CellKind) any {
	switch {
	case k == store.NumberCell && c.number.Valid:
		return c.number.Int64
	case k == store.BooleanCell && c.boolean.Valid:
		return c.boolean.Bool
	case k == store.BytesCell && c.bytes != nil:
		return c.bytes
	case k == store.TextCell && c.text.Valid:
		return c.text.String
	}
	return nil
}

// ListBlobs lists the hashes of all blobs.
func (v View) ListBlobs(ctx context.Context) ([]string, error) {
	return texts(ctx, v.conn, "SELECT hash FROM blobs ORDER BY hash")
}

// Clear removes all that an import replaces. Rows that come later get numbers
// beyond that of the execution which stays.
func (t *Tx) Clear(ctx context.Context, keep string) error {
	var names []string
	for _, one := range tables {
		// What the execution that stays writes must not wait: its lease would run out.
		if one.Name != "progress" && one.Name != "events" {
			names = append(names, one.Name)
		}
	}
	if t.dialect.LockTables != "" {
		if _, err := t.conn.Exec(ctx, fmt.Sprintf(t.dialect.LockTables, strings.Join(append(names, "blobs"), ", "))); err != nil {
			return fmt.Errorf("lock the tables: %w", err)
		}
	}
	var kept int64
	if _, err := row(ctx, t.conn, "SELECT num FROM executions WHERE id = ?", []any{keep}, &kept); err != nil {
		return err
	}
	for _, name := range []string{"blob_chunks", "blobs"} {
		if _, err := t.conn.Exec(ctx, "DELETE FROM "+name); err != nil {
			return fmt.Errorf("clear %s: %w", name, err)
		}
	}
	but := map[string]string{"executions": "num", "progress": "num", "events": "execution_num"}
	for _, one := range slices.Backward(tables) {
		statement, args := "DELETE FROM "+one.Name, []any{}
		if column := but[one.Name]; column != "" {
			statement, args = statement+" WHERE "+column+" <> ?", []any{kept}
		}
		if _, err := t.conn.Exec(ctx, statement, args...); err != nil {
			return fmt.Errorf("clear %s: %w", one.Name, err)
		}
	}
	t.shift = map[string]int64{"executions": kept}
	return nil
}

// LoadRows adds rows of an import.
func (t *Tx) LoadRows(ctx context.Context, name string, columns []string, rows [][]any) error {
	into, err := findTable(name)
	if err != nil {
		return err
	}
	for _, column := range columns {
		if into.Column(column) < 0 {
			return fmt.Errorf("the table %s has no column %q", name, column)
		}
	}
	override := ""
	if _, numbered := into.shifts["num"]; numbered {
		override = t.dialect.Override
	}
	return chunks(len(rows), func(from, to int) error {
		args := make([]any, 0, (to-from)*len(columns))
		for _, r := range rows[from:to] {
			for i, column := range columns {
				v := r[i]
				if n, is := v.(int64); is && into.shifts[column] != "" {
					v = n + t.shift[into.shifts[column]]
				}
				args = append(args, v)
			}
		}
		n, err := t.conn.Exec(ctx, "INSERT INTO "+name+" ("+strings.Join(columns, ", ")+")"+override+" VALUES "+
			list(rowOf(len(columns)), to-from)+" ON CONFLICT DO NOTHING", args...)
		if err != nil {
			return fmt.Errorf("import %s: %w", name, err)
		}
		if n != int64(to-from) {
			return fmt.Errorf("import %s: two rows have the same key: %w", name, store.ErrExists)
		}
		return nil
	})
}

// EndLoad lets new rows come after those of the import, and wakes everybody.
func (t *Tx) EndLoad(ctx context.Context) error {
	for _, one := range tables {
		if _, numbered := one.shifts["num"]; numbered && one.shifts["num"] == one.Name && t.dialect.Advance != "" {
			if _, err := t.conn.Exec(ctx, fmt.Sprintf(t.dialect.Advance, one.Name)); err != nil {
				return fmt.Errorf("number what comes after the import: %w", err)
			}
		}
	}
	t.Notify(store.TopicExecutions)
	t.Notify(store.TopicSchedules)
	return nil
}
