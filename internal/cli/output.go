package cli

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"windlass/internal/value"
)

// table prints records as a grid under a title, or as a JSON list of their columns.
func (a *app) table(title string, columns []string, records []object) error {
	if a.json {
		list := make([]any, len(records))
		for i, r := range records {
			list[i] = pick(r, columns)
		}
		return a.printJSON(list)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleDefault)
	t.Style().Format.Header = 0
	header := make(table.Row, len(columns))
	for i, c := range columns {
		header[i] = c
	}
	t.AppendHeader(header)
	for _, r := range records {
		row := make(table.Row, len(columns))
		for i, c := range columns {
			row[i] = cell(c, r[c])
		}
		t.AppendRow(row)
	}
	_, err := fmt.Fprintf(a.Stdout, "\n%s\n%s\n\n", title, t.Render())
	return err
}

func pick(r object, columns []string) object {
	o := object{}
	for _, c := range columns {
		o[c] = r[c]
	}
	return o
}

func cell(column string, v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case []any:
		if column == "labels" {
			return labelText(t)
		}
	case string:
		if strings.HasSuffix(column, "_at") || column == "scheduled_for" {
			return strings.Replace(t, "T", " ", 1)
		}
		return t
	}
	return value.Text(v)
}

func labelText(labels []any) string {
	var parts []string
	for _, l := range labels {
		if m, ok := l.(object); ok {
			parts = append(parts, fmt.Sprintf("%v:%v", m["key"], m["value"]))
		}
	}
	return strings.Join(parts, ",")
}

// pairs prints names and values, or a JSON object.
func (a *app) pairs(title string, m object) error {
	if a.json {
		return a.printJSON(m)
	}
	var b strings.Builder
	fmt.Fprintln(&b, title)
	for _, k := range value.SortedKeys(m) {
		fmt.Fprintf(&b, "\t%q: %s\n", k, value.Encode(m[k]))
	}
	_, err := fmt.Fprint(a.Stdout, b.String()+"\n")
	return err
}

// details prints one record with all the columns, one a line.
func (a *app) details(title string, columns []string, r object) error {
	if a.json {
		return a.printJSON(r)
	}
	width := 0
	for _, c := range columns {
		width = max(width, len(c))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", title)
	for _, c := range columns {
		fmt.Fprintf(&b, "\t%-*s %s\n", width+1, c+":", cell(c, r[c]))
	}
	_, err := fmt.Fprintln(a.Stdout, b.String())
	return err
}
