package sqlstore

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// Documents that say the same are one; nothing else changes by that.
func TestDocuments(t *testing.T) {
	t.Parallel()
	type doc map[string]string
	long := fmt.Sprintf(`{"a": %q}`, strings.Repeat("x", leastShared))
	read := func(d *Documents, text any) (m doc, err error) {
		cell := jsonShared(&m)
		cell.shareBy(d)
		err = cell.Scan(text)
		return m, err
	}
	isSame := func(a, b doc) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }
	for name, tc := range map[string]struct {
		documents *Documents
		text      any
		same      bool
	}{
		"long": {&Documents{}, long, true}, "bytes": {&Documents{}, []byte(long), true},
		"short": {&Documents{}, `{"a": "b"}`, false}, "not shared": {nil, long, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, err1 := read(tc.documents, tc.text)
			two, err2 := read(tc.documents, tc.text)
			if err1 != nil || err2 != nil || len(one) != 1 || !reflect.DeepEqual(one, two) || isSame(one, two) != tc.same {
				t.Errorf("%v, %v; %v, %v; same: %t", one, err1, two, err2, isSame(one, two))
			}
		})
	}
	d := &Documents{}
	var other map[string]any
	if _, err := read(d, long); err != nil {
		t.Fatal(err)
	}
	cell := jsonShared(&other)
	cell.shareBy(d)
	if err := cell.Scan(long); err != nil || other["a"] == nil {
		t.Errorf("read as another type: %v, %v", other, err)
	}
	if m, err := read(d, nil); m != nil || err != nil {
		t.Errorf("NULL is %v, %v", m, err)
	}
	if _, err := read(d, strings.Repeat("{", leastShared)); err == nil {
		t.Error("what is no document is taken for one")
	}
}

// What is read again and again stays; what is not goes.
func TestDocumentsAreBounded(t *testing.T) {
	t.Parallel()
	d := &Documents{}
	kind := reflect.TypeFor[int]()
	text := func(n int) []byte { return fmt.Appendf(nil, "%*d", mostShared/10, n) }
	for n := range 100 {
		d.add(kind, text(n), n)
		if v, ok := d.get(kind, text(0)); !ok || v != 0 {
			t.Fatalf("after %d others the first is %v, %t", n, v, ok)
		}
		if held := d.now.size + d.old.size; held > 2*mostShared {
			t.Fatalf("%d bytes are held", held)
		}
	}
	if _, ok := d.get(kind, text(50)); ok {
		t.Error("one that nobody reads is held")
	}
}
