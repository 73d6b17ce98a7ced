package ctxproxy

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"windlass/internal/value"
)

// dict is a dictionary of the context: properties, parameters.
type dict struct {
	// view calls f with the dictionary, which stays as it is until f returns.
	// What f hands out of it must be copied.
	view func(ctx context.Context, f func(m map[string]any) error) error
	// edit calls f with the dictionary to be changed; nil: it is read-only.
	edit func(ctx context.Context, f func(m map[string]any) error) error
}

// fixedDict is a read-only dictionary of its own.
func fixedDict(m map[string]any) *dict {
	return &dict{view: func(_ context.Context, f func(map[string]any) error) error { return f(m) }}
}

func (d *dict) className() string { return "dict" }

func (d *dict) plain(ctx context.Context) (v any, err error) {
	err = d.view(ctx, func(m map[string]any) error {
		if m == nil {
			m = map[string]any{}
		}
		v = value.Copy(m)
		return nil
	})
	return v, err
}

func (d *dict) change(ctx context.Context, f func(map[string]any) error) error {
	if d.edit == nil {
		return failf(nonRecoverable, "Cannot override read only properties")
	}
	return d.edit(ctx, f)
}

// takesNothing: methods of Python's dictionaries that take no argument. With
// an argument, the name must be a key.
var takesNothing = map[string]bool{"clear": true, "copy": true, "items": true, "keys": true, "popitem": true, "values": true}

// access reads or writes by a path. It is not done if the first argument names
// a method; a key of that name goes first where a method cannot be meant.
func (d *dict) access(ctx context.Context, args []any) (v any, done bool, err error) {
	path, ok := args[0].(string)
	if !ok {
		return nil, true, failf(typeError, "a path must be a text, not %s", value.Repr(args[0]))
	}
	if d.method(path) != nil && !(takesNothing[path] && len(args) == 2) {
		if len(args) > 1 {
			return nil, false, nil
		}
		isKey := false
		err := d.view(ctx, func(m map[string]any) error { _, isKey = m[path]; return nil })
		if err != nil || !isKey {
			return nil, false, err
		}
	}
	switch len(args) {
	case 1:
		err = d.view(ctx, func(m map[string]any) error {
			found, err := lookUp(m, path)
			v = value.Copy(found)
			return err
		})
		return v, true, err
	case 2:
		return nil, true, d.change(ctx, func(m map[string]any) error { return put(m, path, value.Copy(args[1])) })
	}
	return nil, true, failf(runtimeError, "Illegal argument while accessing dict")
}

func (d *dict) attribute(_ context.Context, name string) (any, bool, error) {
	if m := d.method(name); m != nil {
		return m, true, nil
	}
	return nil, false, nil
}

// method is the method of Python's dictionaries of that name, or nil.
func (d *dict) method(name string) method {
	switch name {
	case "get":
		return d.reading("get", []parameter{{name: "key", required: true}, {name: "default", structured: true}},
			func(m map[string]any, a []any) (any, error) {
				if v, ok := m[value.Text(a[0])]; ok {
					return v, nil
				}
				return a[1], nil
			})
	case "keys":
		return d.reading("keys", nil, func(m map[string]any, _ []any) (any, error) {
			keys := []any{}
			for _, k := range value.SortedKeys(m) {
				keys = append(keys, k)
			}
			return keys, nil
		})
	case "values":
		return d.reading("values", nil, func(m map[string]any, _ []any) (any, error) {
			values := []any{}
			for _, k := range value.SortedKeys(m) {
				values = append(values, m[k])
			}
			return values, nil
		})
	case "items":
		return d.reading("items", nil, func(m map[string]any, _ []any) (any, error) {
			items := []any{}
			for _, k := range value.SortedKeys(m) {
				items = append(items, []any{k, m[k]})
			}
			return items, nil
		})
	case "copy":
		return d.reading("copy", nil, func(m map[string]any, _ []any) (any, error) { return m, nil })
	case "update":
		return func(ctx context.Context, args []any, kwargs map[string]any) (any, error) {
			if len(args) > 0 {
				return nil, failf(typeError, "update() takes a dictionary: @{\"key\": value}")
			}
			return nil, d.change(ctx, func(m map[string]any) error {
				for k, v := range kwargs {
					m[k] = value.Copy(v)
				}
				return nil
			})
		}
	case "pop":
		return d.writing("pop", []parameter{{name: "key", required: true}, {name: "default", structured: true}},
			func(m map[string]any, a []any) (any, error) {
				key := value.Text(a[0])
				v, ok := m[key]
				if !ok {
					return a[1], nil
				}
				delete(m, key)
				return v, nil
			})
	case "setdefault":
		return d.writing("setdefault", []parameter{{name: "key", required: true}, {name: "default", structured: true}},
			func(m map[string]any, a []any) (any, error) {
				key := value.Text(a[0])
				if v, ok := m[key]; ok {
					return v, nil
				}
				m[key] = value.Copy(a[1])
				return a[1], nil
			})
	case "clear":
		return d.writing("clear", nil, func(m map[string]any, _ []any) (any, error) { clear(m); return nil, nil })
	case "popitem":
		return d.writing("popitem", nil, func(m map[string]any, _ []any) (any, error) {
			keys := value.SortedKeys(m)
			if len(keys) == 0 {
				return nil, failf(keyError, "popitem(): dictionary is empty")
			}
			last := keys[len(keys)-1]
			v := m[last]
			delete(m, last)
			return []any{last, v}, nil
		})
	}
	return nil
}

func (d *dict) reading(name string, params []parameter, f func(m map[string]any, args []any) (any, error)) method {
	return d.bound(name, params, d.view, f)
}

func (d *dict) writing(name string, params []parameter, f func(m map[string]any, args []any) (any, error)) method {
	return d.bound(name, params, d.change, f)
}

func (d *dict) bound(
	name string, params []parameter,
	open func(context.Context, func(map[string]any) error) error,
	f func(m map[string]any, args []any) (any, error),
) method {
	return func(ctx context.Context, args []any, kwargs map[string]any) (v any, err error) {
		a, err := bind(name, params, args, kwargs)
		if err != nil {
			return nil, err
		}
		err = open(ctx, func(m map[string]any) error {
			found, err := f(m, a)
			v = value.Copy(found)
			return err
		})
		return v, err
	}
}

func illegalPath(path string) error { return failf(runtimeError, "illegal path: %s", path) }

var indexed = regexp.MustCompile(`^(.+?)((?:\[\d+\])+)$`)

// segment splits name[1][2] into the name and its indexes.
func segment(s string) (name string, indexes []int) {
	m := indexed.FindStringSubmatch(s)
	if m == nil {
		return s, nil
	}
	for _, digits := range strings.Split(strings.Trim(m[2], "[]"), "][") {
		i, err := strconv.Atoi(digits)
		if err != nil {
			return s, nil
		}
		indexes = append(indexes, i)
	}
	return m[1], indexes
}

// step goes from a dictionary to what one segment of a path names.
func step(current any, s, path string) (any, error) {
	m, ok := current.(map[string]any)
	if !ok {
		return nil, illegalPath(path)
	}
	if v, ok := m[s]; ok {
		return v, nil
	}
	name, indexes := segment(s)
	v, ok := m[name]
	if !ok {
		return nil, illegalPath(path)
	}
	return element(v, indexes, path)
}

func element(v any, indexes []int, path string) (any, error) {
	for _, i := range indexes {
		list, ok := v.([]any)
		if !ok {
			return nil, illegalPath(path)
		}
		if i >= len(list) {
			return nil, failf(indexError, "list index out of range: %s", path)
		}
		v = list[i]
	}
	return v, nil
}

// lookUp reads a dotted path. A key that contains dots is found as well,
// unless the path leads somewhere.
func lookUp(m map[string]any, path string) (any, error) {
	var current any = m
	for _, s := range strings.Split(path, ".") {
		next, err := step(current, s, path)
		if err != nil {
			if v, ok := m[path]; ok {
				return v, nil
			}
			return nil, err
		}
		current = next
	}
	return current, nil
}

// put writes v at a dotted path and makes the dictionaries on the way.
func put(m map[string]any, path string, v any) error {
	parts := strings.Split(path, ".")
	parents, last := parts[:len(parts)-1], parts[len(parts)-1]
	var current any = m
	for _, s := range parents {
		here, ok := current.(map[string]any)
		if !ok {
			return illegalPath(path)
		}
		if _, there := here[s]; !there {
			if _, indexes := segment(s); indexes == nil {
				here[s] = map[string]any{}
			}
		}
		next, err := step(current, s, path)
		if err != nil {
			return err
		}
		current = next
	}
	here, ok := current.(map[string]any)
	if !ok {
		return illegalPath(path)
	}
	if name, indexes := segment(last); indexes != nil {
		if _, isList := here[name].([]any); isList {
			return putElement(here, name, indexes, path, v)
		}
	}
	here[last] = v
	return nil
}

// putElement writes an element of a list; the list is copied, so that nobody
// who holds the old one sees it change.
func putElement(m map[string]any, name string, indexes []int, path string, v any) error {
	m[name] = value.Copy(m[name])
	holder, err := element(m[name], indexes[:len(indexes)-1], path)
	if err != nil {
		return err
	}
	list, ok := holder.([]any)
	last := indexes[len(indexes)-1]
	if !ok {
		return illegalPath(path)
	}
	if last >= len(list) {
		return failf(indexError, "list index out of range: %s", path)
	}
	list[last] = v
	return nil
}
