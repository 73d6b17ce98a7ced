package rest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"windlass/internal/store"
)

const (
	pageSize      = 1000
	eventPageSize = 10000
)

// listing is what a list request asks for.
type listing struct {
	store.Query
	include []string
	size    int
	offset  int
	counts  bool // only the number of records is asked for, by a page of none
}

// listed declares what a list can be filtered and sorted by.
type listed struct {
	filters  []string // fields of the store; all of them sort as well
	booleans []string // those of the filters that are booleans
	sorts    []string // further fields to sort by
	size     int      // default page size; 0: pageSize
	global   bool     // records belong to no tenant
	labels   bool     // can be sorted by label:<key>, which is ignored otherwise
}

// listing reads the standard list parameters.
func (s *server) listing(r *request, l listed) (listing, error) {
	q := listing{size: l.size}
	if q.size == 0 {
		q.size = pageSize
	}
	if err := q.readPage(r); err != nil {
		return q, err
	}
	for _, v := range r.query["_include"] {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(q.include, name) {
				q.include = append(q.include, name)
			}
		}
	}
	q.Search = r.query.Get("_search")
	if err := q.readSort(r, l); err != nil {
		return q, err
	}
	if err := q.readFilters(r, l); err != nil {
		return q, err
	}
	if l.global {
		return q, nil
	}
	return q, s.readTenants(r, &q)
}

func (q *listing) readPage(r *request) error {
	for name, target := range map[string]*int{"_size": &q.size, "_offset": &q.offset} {
		text := r.query.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return badParameter("Invalid pagination parameter %s: `%s` is not a non-negative number", name, text)
		}
		*target = n
	}
	all, err := r.queryFlag("_get_all_results", false)
	if err != nil {
		return err
	}
	q.Limit, q.Offset = max(q.size, 1), q.offset // no limit is 0 for the store
	if all {
		q.Limit, q.Offset = 0, 0
	}
	q.counts = q.size == 0 && !all
	if q.After = r.query.Get("_after"); q.After != "" && q.offset > 0 {
		return badParameter("Invalid pagination parameters: _after and _offset exclude each other")
	}
	return nil
}

func (q *listing) readSort(r *request, l listed) error {
	for _, v := range r.query["_sort"] {
		for name := range strings.SplitSeq(v, ",") {
			var key store.SortKey
			name, key.Descending = strings.CutPrefix(strings.TrimSpace(name), "-")
			key.Field = strings.TrimPrefix(strings.TrimPrefix(name, "+"), "@")
			if key.Field == "" || isLabelSort(key) && !l.labels {
				continue
			}
			if !isLabelSort(key) && !slices.Contains(l.filters, key.Field) && !slices.Contains(l.sorts, key.Field) {
				return badParameter("Sort key '%s' does not exist. Allowed keys are: %s", key.Field, pyList(slices.Concat(l.filters, l.sorts)))
			}
			q.Sort = append(q.Sort, key)
		}
	}
	return nil
}

func (q *listing) readFilters(r *request, l listed) error {
	var unknown []string
	names := make([]string, 0, len(r.query))
	for name := range r.query {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasPrefix(name, "_") || slices.Contains(r.route.flags, name) {
			continue
		}
		if !slices.Contains(l.filters, name) {
			unknown = append(unknown, name)
			continue
		}
		values := r.query[name]
		if slices.Contains(l.booleans, name) {
			for i, v := range values {
				b, err := parseBool(name, v)
				if err != nil {
					return err
				}
				values[i] = strconv.FormatBool(b)
			}
		}
		q.Filters = append(q.Filters, store.Filter{Field: name, Values: values})
	}
	if len(unknown) > 0 {
		return badParameter("Filter keys '%s' do not exist. Allowed keys are: %s", pyList(unknown), pyList(l.filters))
	}
	return nil
}

// readTenants says whose records are listed: those of the request's tenant,
// or of all that the caller may list.
func (s *server) readTenants(r *request, q *listing) error {
	all, err := r.queryFlag("_all_tenants", false)
	if err != nil {
		return err
	}
	q.Tenants = []string{r.tenant}
	if all {
		q.Tenants, err = s.Access.TenantsWith(r.Context(), r.caller, r.route.permission)
		if err != nil {
			return err
		}
	}
	for _, t := range q.Tenants {
		if !r.caller.SeesPrivate(t) {
			q.Viewer = r.caller.Username
		}
	}
	if len(q.Tenants) == 0 { // to the store no tenant means all of them
		q.Tenants = []string{""}
		q.Viewer = r.caller.Username
	}
	return nil
}

// with adds a filter.
func (q *listing) with(f store.Filter) { q.Filters = append(q.Filters, f) }

// filters tells whether there is a filter on the field.
func (q *listing) filters(fieldName string) bool {
	return slices.ContainsFunc(q.Filters, func(f store.Filter) bool { return f.Field == fieldName })
}

// wants tells whether the field is part of the answer.
func (q *listing) wants(fieldName string) bool {
	return len(q.include) == 0 || slices.Contains(q.include, fieldName)
}

// envelope is the answer to a list request.
func (q *listing) envelope(items []any, total int, filtered any) object {
	return object{"items": items, "metadata": object{
		"pagination": object{"total": total, "size": q.size, "offset": q.offset}, "filtered": filtered,
	}}
}

// envelopeOf is the answer with a page; clients go on behind it with _after=next.
func (q *listing) envelopeOf(items []any, total int, next string, filtered any) object {
	if q.counts {
		items, next = []any{}, ""
	}
	o := q.envelope(items, total, filtered)
	if next != "" {
		o["metadata"].(object)["pagination"].(object)["next"] = next
	}
	return o
}

// reply encodes and sends a page of records.
func reply[T any](w http.ResponseWriter, q listing, s shape[T], page store.Page[T]) error {
	return replyFiltered(w, q, s, page, nil)
}

func replyFiltered[T any](w http.ResponseWriter, q listing, s shape[T], page store.Page[T], filtered any) error {
	if err := s.check(q.include); err != nil {
		return err
	}
	items := make([]any, len(page.Items))
	for i, x := range page.Items {
		items[i] = s.encode(x, q.include)
	}
	writeJSON(w, http.StatusOK, q.envelopeOf(items, page.Total, page.Next, filtered))
	return nil
}

// replyOne encodes and sends a record, of the included fields.
func replyOne[T any](w http.ResponseWriter, r *request, status int, s shape[T], x T) error {
	include := includes(r)
	if err := s.check(include); err != nil {
		return err
	}
	writeJSON(w, status, s.encode(x, include))
	return nil
}

func includes(r *request) []string {
	var names []string
	for _, v := range r.query["_include"] {
		for n := range strings.SplitSeq(v, ",") {
			if n = strings.TrimSpace(n); n != "" {
				names = append(names, n)
			}
		}
	}
	return names
}

// slicePage cuts a page out of a list that is whole in memory.
func slicePage[T any](items []T, q listing) store.Page[T] {
	page := store.Page[T]{Total: len(items)}
	from := min(q.Offset, len(items))
	to := len(items)
	if q.counts {
		to = from
	} else if q.Limit > 0 {
		to = min(from+q.Limit, to)
	}
	page.Items = items[from:to]
	return page
}

// mapPage turns the records of a page into others.
func mapPage[T, U any](p store.Page[T], f func(T) U) store.Page[U] {
	out := store.Page[U]{Total: p.Total, Next: p.Next, Items: make([]U, len(p.Items))}
	for i, x := range p.Items {
		out.Items[i] = f(x)
	}
	return out
}

// each calls fn for all records of a list, a page at a time.
func each[T any](ctx context.Context, q store.Query, fetch func(context.Context, store.Query) (store.Page[T], error), fn func(T) error) error {
	q.Limit, q.Offset, q.After = pageSize, 0, ""
	for {
		page, err := fetch(ctx, q)
		if err != nil {
			return err
		}
		for _, x := range page.Items {
			if err := fn(x); err != nil {
				return err
			}
		}
		switch {
		case page.Next != "":
			q.After = page.Next
		case len(page.Items) == pageSize: // a list that is put together here
			q.Offset += pageSize
		default:
			return nil
		}
	}
}

// notInMemory refuses to go on behind a place where the list is put together here.
func notInMemory(q store.Query) error {
	if q.After == "" {
		return nil
	}
	return badParameter("_after can't go with conditions and orders by labels, nor with searches for names; use _offset")
}

// inGroups is the filter for deployments that are in some of the groups.
func (s *server) inGroups(r *request, field string, groups []string) (store.Filter, error) {
	f := store.Filter{Field: field}
	for _, group := range groups {
		members, err := s.Store.GroupMembers(r.Context(), r.tenant, group)
		if err != nil {
			return f, err
		}
		f.Values = append(f.Values, members...)
	}
	return f, nil
}

// replaceGroups turns the filter by deployment groups, if there is one, into one
// by the deployments in them, whose field is named.
func (s *server) replaceGroups(r *request, q *listing, field string) error {
	at := slices.IndexFunc(q.Filters, func(f store.Filter) bool { return f.Field == "deployment_group_id" })
	if at < 0 {
		return nil
	}
	f, err := s.inGroups(r, field, q.Filters[at].Values)
	q.Filters[at] = f
	return err
}
