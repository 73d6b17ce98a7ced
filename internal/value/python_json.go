package value

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf16"
)

// PythonJSON writes v as Python's json.dumps does by default: a space after
// each comma and colon, everything but ASCII escaped. Keys are sorted.
func PythonJSON(v any) string { return string(appendPythonJSON(nil, v)) }

func appendPythonJSON(b []byte, v any) []byte {
	switch t := v.(type) {
	case string:
		return appendASCII(b, t)
	case float64:
		switch {
		case math.IsNaN(t):
			return append(b, "NaN"...)
		case math.IsInf(t, 1):
			return append(b, "Infinity"...)
		case math.IsInf(t, -1):
			return append(b, "-Infinity"...)
		}
		return appendReprFloat(b, t)
	case []any:
		b = append(b, '[')
		for i, e := range t {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendPythonJSON(b, e)
		}
		return append(b, ']')
	case Map:
		return appendPythonJSON(b, map[string]any(t))
	case map[string]any:
		b = append(b, '{')
		for i, k := range SortedKeys(t) {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendASCII(b, k)
			b = append(b, ": "...)
			b = appendPythonJSON(b, t[k])
		}
		return append(b, '}')
	case nil, bool, int, int64:
		return Append(b, v)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, data...)
}

// appendASCII writes s as a JSON text of ASCII characters only.
func appendASCII(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r == '\b':
			b = append(b, '\\', 'b')
		case r == '\f':
			b = append(b, '\\', 'f')
		case r >= 0x20 && r < 0x7f:
			b = append(b, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = appendEscape(appendEscape(b, high), low)
		default:
			b = appendEscape(b, r)
		}
	}
	return append(b, '"')
}

func appendEscape(b []byte, r rune) []byte {
	digits := strconv.FormatInt(int64(r)|0x10000, 16)[1:]
	return append(append(b, '\\', 'u'), digits...)
}
