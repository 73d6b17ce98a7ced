package value

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeKeepsNumbersApart(t *testing.T) {
	t.Parallel()
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for _, tc := range []struct {
		in   string
		want any
	}{
		{`2`, int64(2)},
		{`2.0`, 2.0},
		{`2e0`, 2.0},
		{`-9223372036854775808`, int64(math.MinInt64)},
		{`123456789012345678901234567890`, huge},
		{`{"a":[1,null,true,"x"]}`, map[string]any{"a": []any{int64(1), nil, true, "x"}}},
	} {
		got, err := Decode([]byte(tc.in))
		if err != nil {
			t.Fatalf("%s: %v", tc.in, err)
		}
		if !Equal(got, tc.want) || TypeName(got) != TypeName(tc.want) {
			t.Errorf("Decode(%s) = %#v, want %#v", tc.in, got, tc.want)
		}
	}
}

func TestDecodeRefusesTrailingData(t *testing.T) {
	t.Parallel()
	for _, in := range []string{``, `{} {}`, `[1`, `nope`} {
		if v, err := Decode([]byte(in)); err == nil {
			t.Errorf("Decode(%q) = %v, want an error", in, v)
		}
	}
}

func TestEncodeRoundTrips(t *testing.T) {
	t.Parallel()
	v := map[string]any{
		"float": 2.0, "int": int64(2), "text": "a\"b\\\n\x01é\u2028", "list": []any{}, "none": nil,
		"nested": map[string]any{"z": 1e300, "a": -0.5},
	}
	back, err := Decode(Encode(v))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(any(v), back); diff != "" {
		t.Error(diff)
	}
	var std any
	if err := json.Unmarshal(Encode(v), &std); err != nil {
		t.Errorf("encoding/json can't read it: %v", err)
	}
	if got := string(Encode(map[string]any{"b": 1, "a": 2.0})); got != `{"a":2.0,"b":1}` {
		t.Errorf("keys are not sorted or a float lost its fraction: %s", got)
	}
}

func TestEncodeWritesOnlyUTF8(t *testing.T) {
	t.Parallel()
	if got := string(Encode("a\xffb")); got != "\"a\ufffdb\"" {
		t.Errorf("got %q", got)
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b any
		want bool
	}{
		{int64(1), 1.0, true},
		{1.5, int64(1), false},
		{true, int64(1), false},
		{nil, nil, true},
		{nil, []any{}, false},
		{"x", []any{"x"}, false},
		{[]any{int64(1)}, []any{1.0}, true},
		{map[string]any{"a": nil}, map[string]any{"b": nil}, false},
		{map[string]any{}, map[string]any{}, true},
		{big.NewInt(7), big.NewInt(7), true},
	} {
		if got := Equal(tc.a, tc.b); got != tc.want {
			t.Errorf("Equal(%#v, %#v) = %v", tc.a, tc.b, got)
		}
	}
}

// The forms were taken from Python's str and repr.
func TestTextAsPythonWritesIt(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   any
		want string
	}{
		{"plain", "plain"},
		{true, "True"},
		{nil, "None"},
		{2.0, "2.0"},
		{1e16, "1e+16"},
		{0.0001, "0.0001"},
		{0.00001, "1e-05"},
		{123456789.125, "123456789.125"},
		{[]any{"a'b", `c"d`, "e'\"f"}, `["a'b", 'c"d', 'e\'"f']`},
		{map[string]any{"k": []any{int64(1), nil, false}}, "{'k': [1, None, False]}"},
		{[]any{"tab\t\x01é"}, `['tab\t\x01é']`},
	} {
		if got := Text(tc.in); got != tc.want {
			t.Errorf("Text(%#v) = %s, want %s", tc.in, got, tc.want)
		}
	}
}

func TestCopyIsDeep(t *testing.T) {
	t.Parallel()
	orig := map[string]any{"l": []any{map[string]any{"x": int64(1)}}}
	c := CopyMap(orig)
	c["l"].([]any)[0].(map[string]any)["x"] = int64(2)
	if orig["l"].([]any)[0].(map[string]any)["x"] != int64(1) {
		t.Error("the copy shares data with the original")
	}
}

func FuzzDecodeEncode(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.0,"x",null,true]}`, `1e400`, `"\ud800"`, `[[[[]]]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Decode(data)
		if err != nil {
			return
		}
		back, err := Decode(Encode(v))
		if err != nil {
			t.Fatalf("can't read back %s: %v", Encode(v), err)
		}
		if !Equal(v, back) {
			t.Fatalf("%#v became %#v", v, back)
		}
	})
}
