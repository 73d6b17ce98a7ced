package sqlstore

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"windlass/internal/store"
	"windlass/internal/value"
)

// orderedBy names the order of a query.
func orderedBy(q store.Query) string {
	by := make([]string, len(q.Sort))
	for i, k := range q.Sort {
		by[i] = k.Field
		if k.Descending {
			by[i] = "-" + k.Field
		}
	}
	return strings.Join(by, ",")
}

// cursor says where a page ends: the order it is of, and the keys of its last
// row. Who goes on from there sees no row twice and misses none that stays where
// it is, whatever is added or removed meanwhile, and no page costs more than the
// first.
func cursor(q store.Query, last []any) (string, error) {
	data, err := json.Marshal(map[string]any{"by": orderedBy(q), "at": last})
	return base64.RawURLEncoding.EncodeToString(data), err
}

// after leaves out what comes before the query's cursor, and the row there.
func (s *statement) after(q store.Query, keys []sortKey) error {
	if q.After == "" {
		return nil
	}
	at, err := placeOf(q, keys)
	if err != nil {
		return err
	}
	if isUniform(keys) {
		exprs := make([]string, len(keys))
		for i, k := range keys {
			exprs[i] = k.expr
		}
		op := " > "
		if keys[0].descending {
			op = " < "
		}
		s.and("("+strings.Join(exprs, ", ")+")"+op+rowOf(len(keys)), at...)
		return nil
	}
	var ways []string
	var args []any
	for i := range keys {
		way, ok, with := behind(keys[i], at[i])
		if !ok {
			continue
		}
		conditions := make([]string, 0, i+1)
		for j, k := range keys[:i] {
			if at[j] == nil {
				conditions = append(conditions, k.expr+" IS NULL")
				continue
			}
			conditions, args = append(conditions, k.expr+" = ?"), append(args, at[j])
		}
		ways, args = append(ways, strings.Join(append(conditions, way), " AND ")), append(args, with...)
	}
	s.and("("+strings.Join(ways, " OR ")+")", args...)
	return nil
}

// behind is the condition for a key to come after a value, which may be null;
// ok is false where nothing does.
func behind(k sortKey, at any) (condition string, ok bool, args []any) {
	switch {
	case at == nil && k.descending: // nulls are the last
		return "", false, nil
	case at == nil:
		return k.expr + " IS NOT NULL", true, nil
	case k.descending && k.nullable:
		return "(" + k.expr + " < ? OR " + k.expr + " IS NULL)", true, []any{at}
	case k.descending:
		return k.expr + " < ?", true, []any{at}
	}
	return k.expr + " > ?", true, []any{at}
}

// isUniform tells whether rows can be compared as wholes, which indexes help with.
func isUniform(keys []sortKey) bool {
	return !slices.ContainsFunc(keys, func(k sortKey) bool { return k.nullable || k.kind == boolean || k.descending != keys[0].descending })
}

// placeOf reads the query's cursor.
func placeOf(q store.Query, keys []sortKey) ([]any, error) {
	bad := fmt.Errorf("%w: the place to go on from is not one that a list in this order gave", store.ErrBadQuery)
	data, err := base64.RawURLEncoding.DecodeString(q.After)
	if err != nil {
		return nil, bad
	}
	raw, err := value.DecodeMap(data)
	if err != nil {
		return nil, bad
	}
	by, _ := raw["by"].(string)
	at, _ := raw["at"].([]any)
	if by != orderedBy(q) || len(at) != len(keys) {
		return nil, bad
	}
	for i, k := range keys {
		ok := at[i] == nil && k.nullable
		switch at[i].(type) {
		case string:
			ok = k.kind == text
		case int64:
			ok = k.kind == number || k.kind == instant
		case bool:
			ok = k.kind == boolean
		}
		if !ok {
			return nil, bad
		}
	}
	return at, nil
}

// cellsOf reads the keys of a row.
func cellsOf(keys []sortKey, into []any) []any {
	cells := make([]any, len(keys))
	for i, k := range keys {
		cells[i] = keyCell{k.kind, &into[i]}
	}
	return cells
}

// keyCell reads a key as what a cursor has for it.
type keyCell struct {
	kind kind
	v    *any
}

func (c keyCell) Scan(src any) error {
	switch v := src.(type) {
	case []byte:
		*c.v = string(v)
	case int64:
		*c.v = v
		if c.kind == boolean {
			*c.v = v != 0
		}
	default:
		*c.v = src
	}
	return nil
}
