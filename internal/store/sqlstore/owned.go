package sqlstore

import (
	"strings"

	"windlass/internal/store"
)

// ownedColumns lead in the tables of records that tenants own, after the key.
var ownedColumns = []string{"visibility", "created_by", "created_at"}

func ownedValues(o store.Owned) []any {
	return []any{string(o.Visibility), o.CreatedBy, micros(o.CreatedAt)}
}

func ownedTargets(o *store.Owned) []any {
	return []any{&o.Visibility, &o.CreatedBy, timeCell{&o.CreatedAt}}
}

// columnsOf joins the names of key, owner and other columns.
func columnsOf(parts ...[]string) []string {
	var out []string
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// qualified writes columns with a table's alias.
func qualified(alias string, columns []string) string {
	return alias + "." + strings.Join(columns, ", "+alias+".")
}

// ownedFields are the fields that all records of tenants have.
func ownedFields(fields map[string]column) map[string]column {
	fields["tenant_name"] = column{expr: "t.tenant"}
	fields["created_by"] = column{expr: "t.created_by"}
	fields["visibility"] = column{expr: "t.visibility"}
	return fields
}

// byCreation is the default order.
var byCreation = []column{{expr: "t.created_at", kind: instant}, {expr: "t.num", kind: number}}
