// Package value handles the untyped data that flows through Windlass:
// properties, inputs, runtime properties, results.
//
// A value is one of nil, bool, int64, *big.Int (only beyond int64), float64,
// string, []any and map[string]any. Integers and floats stay apart all the
// way, also through JSON: 2 and 2.0 print differently in scripts, and the
// original keeps them apart.
package value

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Decode reads one JSON document into a value. Numbers with a fraction or an
// exponent become float64, all others int64 or *big.Int. Anything after the
// document is an error.
func Decode(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("unexpected data after the JSON document")
	}
	return normalize(v), nil
}

// DecodeMap is Decode for documents that must be an object.
// An empty document and null give an empty map.
func DecodeMap(data []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return map[string]any{}, nil
	}
	v, err := Decode(data)
	if err != nil {
		return nil, err
	}
	switch m := v.(type) {
	case nil:
		return map[string]any{}, nil
	case map[string]any:
		return m, nil
	}
	return nil, fmt.Errorf("expected a JSON object, found %s", TypeName(v))
}

func normalize(v any) any {
	switch t := v.(type) {
	case json.Number:
		return number(string(t))
	case []any:
		for i := range t {
			t[i] = normalize(t[i])
		}
	case map[string]any:
		for k, e := range t {
			t[k] = normalize(e)
		}
	}
	return v
}

func number(s string) any {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i
	}
	if !strings.ContainsAny(s, ".eE") {
		if b, ok := new(big.Int).SetString(s, 10); ok {
			return b
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil { // out of range: the nearest thing that stays a number
		return math.MaxFloat64
	}
	return f
}

// Of turns ordinary Go data (structs with JSON tags, ints of any size, typed
// maps and slices) into a value by way of its JSON form.
func Of(v any) (any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return Decode(data)
}

// Into fills the Go data that target points to from v, by way of JSON.
func Into(v, target any) error {
	return json.Unmarshal(Encode(v), target)
}

// Map is a map of values that keeps integers and floats apart when it is
// decoded from JSON as part of a struct, and is written with sorted keys.
type Map map[string]any

// MarshalJSON writes {} for a nil map: the wire never shows null for a map.
func (m Map) MarshalJSON() ([]byte, error) {
	if m == nil {
		return []byte("{}"), nil
	}
	return Encode(map[string]any(m)), nil
}

// UnmarshalJSON reads an object or null.
func (m *Map) UnmarshalJSON(data []byte) error {
	d, err := DecodeMap(data)
	*m = d
	return err
}

// Any holds one value inside a struct that goes through JSON; see Map.
type Any struct{ V any }

// MarshalJSON writes the value held.
func (a Any) MarshalJSON() ([]byte, error) { return Encode(a.V), nil }

// UnmarshalJSON reads any JSON document.
func (a *Any) UnmarshalJSON(data []byte) (err error) {
	a.V, err = Decode(data)
	return err
}

// Encode writes v as compact JSON with sorted keys; a float64 always shows
// a fraction or an exponent, so that Decode gives a float64 back. NaN and
// infinities, which JSON lacks, become null. Data that is not a value is
// written by encoding/json, or as null where that fails.
func Encode(v any) []byte { return Append(nil, v) }

// Append appends what Encode writes to b.
func Append(b []byte, v any) []byte {
	switch t := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, t)
	case int:
		return strconv.AppendInt(b, int64(t), 10)
	case int64:
		return strconv.AppendInt(b, t, 10)
	case float64:
		return appendFloat(b, t)
	case *big.Int:
		return t.Append(b, 10)
	case string:
		return appendString(b, t)
	case []any:
		b = append(b, '[')
		for i, e := range t {
			if i > 0 {
				b = append(b, ',')
			}
			b = Append(b, e)
		}
		return append(b, ']')
	case Map:
		return appendMap(b, t)
	case map[string]any:
		return appendMap(b, t)
	case Any:
		return Append(b, t.V)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, data...)
}

func appendMap(b []byte, m map[string]any) []byte {
	b = append(b, '{')
	for i, k := range SortedKeys(m) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, k)
		b = append(b, ':')
		b = Append(b, m[k])
	}
	return append(b, '}')
}

func appendFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'g', -1, 64)
	if !bytes.ContainsAny(b[start:], ".e") {
		b = append(b, ".0"...)
	}
	return b
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(b, s[start:i]...)
				b = append(b, "\ufffd"...)
				i++
				start = i
				continue
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// SortedKeys returns the keys of m in text order.
func SortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Copy returns a deep copy of v.
func Copy(v any) any {
	switch t := v.(type) {
	case []any:
		c := make([]any, len(t))
		for i, e := range t {
			c[i] = Copy(e)
		}
		return c
	case map[string]any:
		return CopyMap(t)
	case Map:
		return CopyMap(t)
	}
	return v
}

// CopyMap returns a deep copy of m; nil stays nil.
func CopyMap(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	c := make(map[string]any, len(m))
	for k, e := range m {
		c[k] = Copy(e)
	}
	return c
}

// Equal tells whether a and b are the same value. 1 and 1.0 are equal, true
// and 1 are not.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, Equal)
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, e := range x {
			f, ok := y[k]
			if !ok || !Equal(e, f) {
				return false
			}
		}
		return true
	case *big.Int:
		y, ok := b.(*big.Int)
		return ok && x.Cmp(y) == 0
	case int64:
		if y, ok := b.(float64); ok {
			return float64(x) == y
		}
	case float64:
		if y, ok := b.(int64); ok {
			return x == float64(y)
		}
	}
	if _, ok := b.([]any); ok {
		return false
	}
	if _, ok := b.(map[string]any); ok {
		return false
	}
	return a == b
}

// TypeName names v's type as the original's messages do (Python's names).
func TypeName(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int, int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []any:
		return "list"
	case map[string]any, Map:
		return "dict"
	}
	return fmt.Sprintf("%T", v)
}

// Text is the text form of v that scripts and the concat function of the
// original see: strings as they are, true as True, null as None, structures in
// Python's notation.
func Text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return Repr(v)
}

// Repr is v in Python's notation: 'text', True, None, [1, 2.0], {'a': 1}.
func Repr(v any) string { return string(appendRepr(nil, v)) }

func appendRepr(b []byte, v any) []byte {
	switch t := v.(type) {
	case nil:
		return append(b, "None"...)
	case bool:
		if t {
			return append(b, "True"...)
		}
		return append(b, "False"...)
	case float64:
		return appendReprFloat(b, t)
	case string:
		return appendReprString(b, t)
	case []any:
		b = append(b, '[')
		for i, e := range t {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendRepr(b, e)
		}
		return append(b, ']')
	case Map:
		return appendRepr(b, map[string]any(t))
	case map[string]any:
		b = append(b, '{')
		for i, k := range SortedKeys(t) {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendReprString(b, k)
			b = append(b, ": "...)
			b = appendRepr(b, t[k])
		}
		return append(b, '}')
	}
	return Append(b, v)
}

func appendReprFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "nan"...)
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if !bytes.Contains(b[start:], []byte(".")) {
		b = append(b, ".0"...)
	}
	return b
}

func appendReprString(b []byte, s string) []byte {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b = append(b, quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r < 0x20 || r == 0x7f:
			b = append(b, '\\', 'x', hexDigits[r>>4], hexDigits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, quote)
}
