package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"windlass/internal/store"
)

type kind int

const (
	text kind = iota
	number
	boolean
	instant
)

// column is what a field of the API is in SQL.
type column struct {
	expr     string
	kind     kind
	nullable bool
	join     string // key of listing.joins that expr needs
}

// listing says how records of one kind are listed.
type listing struct {
	kind   string            // of the records, for messages
	from   string            // the table, with its alias
	num    string            // expression of the row's number
	joins  map[string]string // joins that only some fields need
	fields map[string]column
	search string
	order  []column // the default; the last one is unique
	ties   []column // what breaks ties of other orders; nil: the default

	// scope adds a condition that narrows the search without changing what is
	// found; nil: none.
	scope func(s *statement)

	// Of records that tenants own: expressions, and the join they need.
	tenant, visibility, creator, ownerJoin string
}

// statement is a query under construction.
type statement struct {
	d     *Dialect
	l     *listing
	where []string
	args  []any
	joins []string
}

func (s *statement) need(join string) {
	if join != "" && !slices.Contains(s.joins, join) {
		s.joins = append(s.joins, join)
	}
}

func (s *statement) and(condition string, args ...any) {
	s.where = append(s.where, condition)
	s.args = append(s.args, args...)
}

// condition builds FROM and WHERE of the query.
func (l *listing) condition(d *Dialect, q store.Query) (*statement, error) {
	s := &statement{d: d, l: l}
	if err := l.known(q); err != nil {
		return nil, err
	}
	if l.tenant != "" {
		l.owned(s, q)
	}
	if l.scope != nil {
		l.scope(s)
	}
	for _, f := range q.Filters {
		if err := s.filter(f); err != nil {
			return nil, err
		}
	}
	if q.Search != "" && l.search != "" {
		s.and(fmt.Sprintf(d.Like, l.search), "%"+escapeLike(q.Search)+"%")
	}
	return s, nil
}

// owned adds who may see what.
func (l *listing) owned(s *statement, q store.Query) {
	if len(q.Tenants) > 0 {
		s.need(l.ownerJoin)
		args := make([]any, len(q.Tenants))
		for i, t := range q.Tenants {
			args[i] = t
		}
		s.and("("+l.tenant+" IN "+rowOf(len(args))+" OR "+l.visibility+" = 'global')", args...)
	}
	if q.Viewer != "" {
		s.need(l.ownerJoin)
		s.and("("+l.visibility+" <> 'private' OR "+l.creator+" = ?)", q.Viewer)
	}
}

// known refuses filters and sort keys on fields that there are not.
func (l *listing) known(q store.Query) error {
	var filters, sorts []string
	for _, f := range q.Filters {
		if _, is := l.fields[f.Field]; !is {
			filters = append(filters, f.Field)
		}
	}
	for _, k := range q.Sort {
		if _, is := l.fields[k.Field]; !is {
			sorts = append(sorts, k.Field)
		}
	}
	switch {
	case len(filters) > 0:
		return fmt.Errorf("%w: Filter keys '%s' do not exist. Allowed keys are: %s", store.ErrBadQuery, quoted(filters), quoted(l.names()))
	case len(sorts) > 0:
		return fmt.Errorf("%w: Sort keys '%s' do not exist. Allowed keys are: %s", store.ErrBadQuery, quoted(sorts), quoted(l.names()))
	}
	return nil
}

func (l *listing) names() []string {
	names := make([]string, 0, len(l.fields))
	for name := range l.fields {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// quoted writes a list the way the original's messages do: ['a', 'b'].
func quoted(names []string) string { return "['" + strings.Join(names, "', '") + "']" }

const manyValues = 32 // more are passed as one parameter

func (s *statement) filter(f store.Filter) error {
	c := s.l.fields[f.Field]
	s.need(c.join)
	asText := c.expr
	if c.kind != text {
		asText = "CAST(" + c.expr + " AS TEXT)"
	}
	switch f.Op {
	case store.In, store.NotIn:
		return s.equal(f, c)
	case store.Contains:
		s.any("", " OR ", asText, s.d.Contains, f.Values)
	case store.NotContains:
		s.any("NOT ", " AND ", asText, s.d.Contains, f.Values)
	case store.StartsWith:
		s.any("", " OR ", asText, s.d.Like, mapped(f.Values, func(v string) string { return escapeLike(v) + "%" }))
	case store.EndsWith:
		s.any("", " OR ", asText, s.d.Like, mapped(f.Values, func(v string) string { return "%" + escapeLike(v) }))
	case store.Like:
		s.any("", " OR ", asText, s.d.Like, f.Values)
	case store.IsNull:
		s.and("(" + missing(c) + ")")
	case store.IsNotNull:
		s.and("NOT (" + missing(c) + ")")
	case store.AtLeast, store.Below:
		return s.compare(f, c)
	default:
		return fmt.Errorf("%w: unknown comparison %q of %s", store.ErrBadQuery, f.Op, f.Field)
	}
	return nil
}

func mapped(values []string, f func(string) string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = f(v)
	}
	return out
}

func missing(c column) string {
	switch {
	case c.kind == text:
		return c.expr + " IS NULL OR " + c.expr + " = ''"
	case c.kind == instant:
		return c.expr + " IS NULL OR " + c.expr + " = 0"
	}
	return c.expr + " IS NULL"
}

// any adds a condition that holds for some value (or all, where op is AND).
// A missing text is an empty one.
func (s *statement) any(prefix, op, expr, template string, values []string) {
	if len(values) == 0 {
		s.nothing(prefix != "")
		return
	}
	one := prefix + fmt.Sprintf(template, "COALESCE("+expr+", '')")
	s.where = append(s.where, "("+strings.Repeat(one+op, len(values)-1)+one+")")
	for _, v := range values {
		s.args = append(s.args, v)
	}
}

// nothing is a comparison with no value at all: none is equal to it.
func (s *statement) nothing(negated bool) {
	if !negated {
		s.and("1 = 0")
	}
}

func (s *statement) equal(f store.Filter, c column) error {
	args := make([]any, 0, len(f.Values))
	for _, v := range f.Values {
		if a, ok := parsed(c.kind, v); ok {
			args = append(args, a)
		}
	}
	negated := f.Op == store.NotIn
	if len(args) == 0 {
		s.nothing(negated)
		return nil
	}
	condition := c.expr + " IN " + rowOf(len(args))
	if len(args) == 1 {
		condition = c.expr + " = ?"
	} else if len(args) > manyValues && c.kind == text {
		condition = fmt.Sprintf(s.d.Member, c.expr)
		args = []any{jsonTexts(f.Values)}
	}
	switch {
	case negated && c.nullable:
		condition = "(" + c.expr + " IS NULL OR NOT (" + condition + "))"
	case negated:
		condition = "NOT (" + condition + ")"
	case c.nullable && c.kind == text && slices.Contains(f.Values, ""):
		condition = "(" + c.expr + " IS NULL OR " + condition + ")"
	}
	s.and(condition, args...)
	return nil
}

func (s *statement) compare(f store.Filter, c column) error {
	if len(f.Values) == 0 {
		return fmt.Errorf("%w: a comparison of %s needs a value", store.ErrBadQuery, f.Field)
	}
	arg, ok := parsed(c.kind, f.Values[0])
	if !ok {
		return fmt.Errorf("%w: %q is no value of %s; write a whole number, or a time like 2006-01-02T15:04:05Z",
			store.ErrBadQuery, f.Values[0], f.Field)
	}
	op := " >= ?"
	if f.Op == store.Below {
		op = " < ?"
	}
	s.and(c.expr+op, arg)
	return nil
}

// parsed turns the text of a filter's value into a parameter; ok is false for
// a text that no record can be equal to.
func parsed(k kind, v string) (arg any, ok bool) {
	switch k {
	case number:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	case boolean:
		b, err := strconv.ParseBool(strings.ToLower(v))
		return b, err == nil
	case instant:
		t, err := time.Parse(time.RFC3339Nano, v)
		return micros(t), err == nil
	}
	return v, true
}

// escapeLike takes the special meaning from the characters of a LIKE pattern.
func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

// sortKey is a part of an order.
type sortKey struct {
	column
	descending bool
}

// order returns what the query sorts by. Ties are broken in the direction of the
// last key, so that an index can be walked in one direction.
func (s *statement) order(q store.Query) []sortKey {
	var keys []sortKey
	descending := false
	add := func(c column, down bool) {
		if slices.ContainsFunc(keys, func(k sortKey) bool { return k.expr == c.expr }) {
			return
		}
		s.need(c.join)
		keys = append(keys, sortKey{c, down})
	}
	for _, k := range q.Sort {
		descending = k.Descending
		add(s.l.fields[k.Field], descending)
	}
	ties := s.l.order
	if len(q.Sort) > 0 && s.l.ties != nil {
		ties = s.l.ties
	}
	for _, c := range ties {
		add(c, descending)
	}
	return keys
}

// sorting returns ORDER BY.
func sorting(keys []sortKey) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k.expr
		if k.descending {
			parts[i] += " DESC"
		}
		if k.nullable && k.descending {
			parts[i] += " NULLS LAST"
		} else if k.nullable {
			parts[i] += " NULLS FIRST"
		}
	}
	return " ORDER BY " + strings.Join(parts, ", ")
}

// tables returns FROM with the joins that are needed, and WHERE.
func (s *statement) tables() string {
	var b strings.Builder
	b.WriteString(" FROM " + s.l.from)
	for _, j := range s.joins {
		b.WriteString(" " + s.l.joins[j])
	}
	if len(s.where) > 0 {
		b.WriteString(" WHERE " + strings.Join(s.where, " AND "))
	}
	return b.String()
}

func (s *statement) paging(q store.Query) string {
	p := ""
	if q.Limit > 0 || q.Offset > 0 {
		limit := int64(q.Limit)
		if q.Limit <= 0 {
			limit = 1 << 62
		}
		p = " LIMIT ?"
		s.args = append(s.args, limit)
	}
	if q.Offset > 0 {
		p += " OFFSET ?"
		s.args = append(s.args, int64(q.Offset))
	}
	return p
}

// view says how the records of a listing are read: all joins are there.
type view[T any] struct {
	*listing
	columns string
	from    string // the table and its joins
	targets func(*T) []any
}

// page lists records and counts them all.
func page[T any](ctx context.Context, r Reader, v view[T], q store.Query) (store.Page[T], error) {
	p, err := uncounted(ctx, r, v, q)
	if err != nil || p.Total >= 0 {
		return p, err
	}
	s, err := v.condition(r.dialect, q)
	if err != nil {
		return p, err
	}
	p.Total, err = count(ctx, r, s)
	return p, err
}

// uncounted lists records: it finds the rows of the page by the narrowest
// means, and only then reads them in full. The total is -1 if the page does
// not tell it.
func uncounted[T any](ctx context.Context, r Reader, v view[T], q store.Query) (store.Page[T], error) {
	s, err := v.condition(r.dialect, q)
	if err != nil {
		return store.Page[T]{}, err
	}
	keys := s.order(q)
	if err := s.after(q, keys); err != nil {
		return store.Page[T]{}, err
	}
	order := sorting(keys)
	tables := s.tables()
	limits := s.paging(q)
	table, joins, _ := strings.Cut(v.from, "\n")
	columns := v.columns
	for _, k := range keys {
		columns += ", " + k.expr
	}
	query := "SELECT " + columns + " FROM (SELECT " + v.num + " AS picked" + tables + order + limits + ") AS page JOIN " +
		table + " ON " + v.num + " = page.picked" + joins + order
	if limits == "" {
		query = "SELECT " + columns + " FROM " + v.from + " WHERE " + strings.Join(append(s.where, "1 = 1"), " AND ") + order
	}
	last := make([]any, len(keys)) // the keys of the last row
	items, err := all(ctx, r.conn, func(item *T) []any { return append(v.targets(item), cellsOf(keys, last)...) }, query, s.args...)
	if err != nil {
		return store.Page[T]{}, fmt.Errorf("list %ss: %w", v.kind, err)
	}
	p := store.Page[T]{Items: items, Total: -1}
	if q.Limit > 0 && len(items) == q.Limit {
		if p.Next, err = cursor(q, last); err != nil {
			return p, fmt.Errorf("list %ss: %w", v.kind, err)
		}
	}
	if told := q.After == "" && (len(items) > 0 || q.Offset == 0); told && (q.Limit <= 0 || len(items) < q.Limit) {
		p.Total = q.Offset + len(items)
	}
	return p, nil
}

func count(ctx context.Context, r Reader, s *statement) (n int, err error) {
	if _, err := row(ctx, r.conn, "SELECT COUNT(*)"+s.tables(), s.args, &n); err != nil {
		return 0, fmt.Errorf("count %ss: %w", s.l.kind, err)
	}
	return n, nil
}

// pick reads the one record that the condition selects.
func pick[T any](ctx context.Context, r Reader, v view[T], id, where string, args ...any) (T, error) {
	var item T
	found, err := row(ctx, r.conn, "SELECT "+v.columns+" FROM "+v.from+" WHERE "+where, args, v.targets(&item)...)
	if err != nil {
		return item, fmt.Errorf("read %s %q: %w", v.kind, id, err)
	}
	if !found {
		return item, recordError(v.kind, id, store.ErrNotFound)
	}
	return item, nil
}

// visible is the condition that finds a record by tenant and id: the tenant's
// own, else a global one of another tenant. Its parameters are id, tenant,
// tenant.
func (l *listing) visible(id string) string {
	return id + " = ? AND (" + l.tenant + " = ? OR " + l.visibility + " = 'global') ORDER BY CASE WHEN " + l.tenant + " = ? THEN 0 ELSE 1 END LIMIT 1"
}
