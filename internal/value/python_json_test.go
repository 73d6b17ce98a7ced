package value_test

import (
	"math/big"
	"testing"

	"windlass/internal/value"
)

func TestPythonJSON(t *testing.T) {
	t.Parallel()
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, `null`},
		{true, `true`},
		{int64(7), `7`},
		{huge, `123456789012345678901234567890`},
		{1.0, `1.0`},
		{1e16, `1e+16`},
		{"é\x7f\x01\"\\\n\t𝄞", `"\u00e9\u007f\u0001\"\\\n\t\ud834\udd1e"`},
		{[]any{}, `[]`},
		{map[string]any{}, `{}`},
		{map[string]any{"b": []any{int64(1), "x"}, "a": nil}, `{"a": null, "b": [1, "x"]}`},
	} {
		if got := value.PythonJSON(c.v); got != c.want {
			t.Errorf("PythonJSON(%#v) = %s, want %s", c.v, got, c.want)
		}
	}
}
