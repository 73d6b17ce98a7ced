package sqlstore

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"time"

	"windlass/internal/value"
)

// Cells translate between Go data and columns: times are microseconds, with
// NULL or 0 for the zero time, and documents are JSON, with NULL for nil.

func timeArg(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// micros is timeArg for columns that are never NULL.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// latest is micros for a bound that is none if the time is zero.
func latest(t time.Time) int64 {
	if t.IsZero() {
		return math.MaxInt64
	}
	return t.UnixMicro()
}

type timeCell struct{ t *time.Time }

func (c timeCell) Scan(src any) error {
	*c.t = time.Time{}
	switch v := src.(type) {
	case nil:
	case int64:
		if v != 0 {
			*c.t = time.UnixMicro(v).UTC()
		}
	default:
		return fmt.Errorf("expected microseconds, found %T", src)
	}
	return nil
}

// textCell reads NULL, which outer joins give, as "".
type textCell struct{ s *string }

func (c textCell) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*c.s = ""
	case string:
		*c.s = v
	case []byte:
		*c.s = string(v)
	default:
		return fmt.Errorf("expected text, found %T", src)
	}
	return nil
}

// intCell reads NULL, which outer joins give, as 0.
type intCell struct{ n *int }

func (c intCell) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*c.n = 0
	case int64:
		*c.n = int(v)
	default:
		return fmt.Errorf("expected a whole number, found %T", src)
	}
	return nil
}

func mapArg(m map[string]any) any {
	if m == nil {
		return nil
	}
	return string(value.Encode(m))
}

type mapCell struct{ m *map[string]any }

func (c mapCell) Scan(src any) (err error) {
	data, err := document(src)
	if err != nil || data == nil {
		*c.m = nil
		return err
	}
	*c.m, err = value.DecodeMap(data)
	return err
}

func valueArg(v any) any {
	if v == nil {
		return nil
	}
	return string(value.Encode(v))
}

type valueCell struct{ v *any }

func (c valueCell) Scan(src any) (err error) {
	data, err := document(src)
	if err != nil || data == nil {
		*c.v = nil
		return err
	}
	*c.v, err = value.Decode(data)
	return err
}

// jsonArg writes typed data: a nil map, slice or pointer becomes NULL.
func jsonArg(v any) any {
	if r := reflect.ValueOf(v); !r.IsValid() || r.IsNil() {
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return failedArg{err}
	}
	return string(data)
}

// failedArg makes the statement that it is passed to fail.
type failedArg struct{ err error }

// Value gives the error to the driver.
func (f failedArg) Value() (driver.Value, error) { return nil, f.err }

// jsonCell reads typed data into what target points to.
type jsonCell[T any] struct{ target *T }

func jsonTo[T any](target *T) jsonCell[T] { return jsonCell[T]{target} }

func (c jsonCell[T]) Scan(src any) error {
	*c.target = *new(T)
	data, err := document(src)
	if err != nil || data == nil {
		return err
	}
	return json.Unmarshal(data, c.target)
}

func document(src any) ([]byte, error) {
	switch v := src.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(v), nil
	case []byte:
		return v, nil
	}
	return nil, fmt.Errorf("expected a JSON text, found %T", src)
}

// jsonTexts writes a list of texts for Dialect.Member.
func jsonTexts(list []string) string {
	values := make([]any, len(list))
	for i, s := range list {
		values[i] = s
	}
	return string(value.Encode(values))
}

func textArg(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}
