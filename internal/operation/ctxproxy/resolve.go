package ctxproxy

import (
	"context"
	"strings"

	"windlass/internal/value"
)

// What a walk through the context can stand on: a value (see package value),
// or one of the following three.

// object has attributes.
type object interface {
	// attribute returns the attribute of exactly that name, and whether there
	// is one. A value's methods are attributes too.
	attribute(ctx context.Context, name string) (any, bool, error)
	// className is what Python calls its class.
	className() string
}

// plain is an object that prints as a value.
type plain interface {
	plain(ctx context.Context) (any, error)
}

// method is an attribute to be called.
type method func(ctx context.Context, args []any, kwargs map[string]any) (any, error)

// resolve walks from root along args, as the original does:
//
//   - an attribute of that name (or with - for _) is descended into;
//   - a dictionary takes a path to read, or a path and a value to write;
//   - a method takes all the rest, a dictionary at the end as keywords;
//   - a method that is left at the end is called without arguments.
//
// The answer is a value.
func resolve(ctx context.Context, root object, args []any) (any, error) {
	var current any = root
	for i, arg := range args {
		if d, ok := current.(*dict); ok {
			if v, done, err := d.access(ctx, args[i:]); done || err != nil {
				return v, err
			}
		}
		next, found, err := descend(ctx, current, arg)
		switch {
		case err != nil:
			return nil, err
		case found:
			current = next
			continue
		}
		switch c := current.(type) {
		case *dict:
			return nil, failf(runtimeError, "Illegal argument while accessing dict")
		case method:
			return call(ctx, c, args[i:])
		}
		return nil, failf(runtimeError, "%s cannot be processed in %s", value.Text(arg), value.Repr(args))
	}
	if m, ok := current.(method); ok {
		return call(ctx, m, nil)
	}
	return asValue(ctx, current)
}

func descend(ctx context.Context, current, arg any) (any, bool, error) {
	o, ok := current.(object)
	name, isText := arg.(string)
	if !ok || !isText || name == "" {
		return nil, false, nil
	}
	v, found, err := o.attribute(ctx, name)
	if sugar := strings.ReplaceAll(name, "-", "_"); !found && err == nil && sugar != name {
		v, found, err = o.attribute(ctx, sugar)
	}
	return v, found, err
}

func call(ctx context.Context, m method, args []any) (any, error) {
	var kwargs map[string]any
	if n := len(args); n > 0 {
		if k, ok := args[n-1].(map[string]any); ok {
			args, kwargs = args[:n-1], k
		}
	}
	v, err := m(ctx, args, kwargs)
	if err != nil {
		return nil, err
	}
	return asValue(ctx, v)
}

// asValue gives the value that v prints as.
func asValue(ctx context.Context, v any) (any, error) {
	switch t := v.(type) {
	case plain:
		return t.plain(ctx)
	case object, method:
		return nil, notSerializable(v)
	}
	return v, nil
}
