package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadInputs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	one := write("one.yaml", "a: 1\nb: [x, 2.0]\n")
	empty := write("empty.yaml", "")
	write("many/a.yaml", "a: 1\nc: 1\n")
	write("many/b.yml", "a: 2\n")
	for name, tc := range map[string]struct {
		given []string
		want  object
		fails bool
	}{
		"nothing":           {given: nil, want: object{}},
		"a file":            {given: []string{one}, want: object{"a": int64(1), "b": []any{"x", 2.0}}},
		"an empty file":     {given: []string{empty}, want: object{}},
		"a folder":          {given: []string{filepath.Join(dir, "many")}, want: object{"a": int64(2), "c": int64(1)}},
		"a wildcard":        {given: []string{filepath.Join(dir, "many", "*.yaml")}, want: object{"a": int64(1), "c": int64(1)}},
		"in order":          {given: []string{one, "a=9", "{b: null}"}, want: object{"a": int64(9), "b": nil}},
		"pairs":             {given: []string{"a=1;b=two words; c = true "}, want: object{"a": int64(1), "b": "two words", "c": true}},
		"a value with =":    {given: []string{"a=b=c"}, want: object{"a": "b=c"}},
		"escaped":           {given: []string{`a=1\;2;b\=c=3`}, want: object{"a": "1;2", "b=c": int64(3)}},
		"an empty value":    {given: []string{"a="}, want: object{"a": nil}},
		"a list":            {given: []string{"a=[1,2]"}, want: object{"a": []any{int64(1), int64(2)}}},
		"JSON":              {given: []string{`{"a": {"b": [true]}}`}, want: object{"a": object{"b": []any{true}}}},
		"any language":      {given: []string{"a=grüße"}, want: object{"a": "grüße"}},
		"what is no YAML":   {given: []string{"a={x"}, want: object{"a": "{x"}},
		"a word":            {given: []string{"nonsense"}, fails: true},
		"a list, not a map": {given: []string{"[1, 2]"}, fails: true},
	} {
		got, err := readInputs(tc.given)
		if tc.fails {
			if err == nil {
				t.Errorf("%s: got %v, want an error", name, got)
			}
			continue
		}
		if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}
