package ctxproxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"windlass/internal/operation"
)

func (o rootObject) resourceMethod(name string) method {
	withTarget := func(params []parameter, f func(ctx context.Context, path, target string, variables map[string]any) (any, error)) method {
		return func(ctx context.Context, args []any, kwargs map[string]any) (any, error) {
			a, err := bind(name, params, args, kwargs)
			if err != nil {
				return nil, err
			}
			named := map[string]any{}
			for i, p := range params {
				named[p.name] = a[i]
			}
			variables, err := templateVariables(named["template_variables"])
			if err != nil {
				return nil, err
			}
			return f(ctx, optionalText(a[0]), optionalText(named["target_path"]), variables)
		}
	}
	source := parameter{name: "resource_path", required: true}
	target := parameter{name: "target_path"}
	variables := parameter{name: "template_variables"}
	switch name {
	case "get_resource":
		return withTarget([]parameter{source}, func(ctx context.Context, path, _ string, _ map[string]any) (any, error) {
			return asText(o.s.resource(ctx, path))
		})
	case "get_resource_and_render":
		return withTarget([]parameter{source, variables}, func(ctx context.Context, path, _ string, v map[string]any) (any, error) {
			return asText(o.s.rendered(ctx, path, v))
		})
	case "download_resource":
		return withTarget([]parameter{source, target}, func(ctx context.Context, path, target string, _ map[string]any) (any, error) {
			data, err := o.s.resource(ctx, path)
			if err != nil {
				return nil, err
			}
			return o.s.download(path, target, data)
		})
	case "download_resource_and_render":
		return withTarget([]parameter{source, target, variables},
			func(ctx context.Context, path, target string, v map[string]any) (any, error) {
				data, err := o.s.rendered(ctx, path, v)
				if err != nil {
					return nil, err
				}
				return o.s.download(path, target, data)
			})
	case "download_directory":
		return withTarget([]parameter{{name: "directory_path", required: true}, target},
			func(ctx context.Context, path, target string, _ map[string]any) (any, error) {
				return o.s.downloadDirectory(ctx, path, target)
			})
	}
	return nil
}

func templateVariables(v any) (map[string]any, error) {
	if v == nil {
		return nil, nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, failf(typeError, "template_variables must be a dictionary: @{\"template_variables\": {\"name\": \"value\"}}")
	}
	if _, taken := m["ctx"]; taken {
		return nil, failf(nonRecoverable, "Key not allowed - a key named ctx is in template_variables")
	}
	return m, nil
}

func asText(data []byte, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return strings.ToValidUTF8(string(data), "\uFFFD"), nil
}

// resource reads a resource; a missing one is not worth a retry.
func (s *Session) resource(ctx context.Context, path string) ([]byte, error) {
	data, err := s.cfg.Host.Resource(ctx, path)
	if errors.Is(err, operation.ErrNoResource) {
		return nil, NoResource(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read resource %s: %w", path, err)
	}
	return data, nil
}

// NoResource is the failure of an operation that asked for a resource that the
// deployment, the blueprint and the shared resources lack.
func NoResource(path string) error {
	return failf(httpException, "404 (%s) : Resource not found: %s", path, path)
}

func (s *Session) rendered(ctx context.Context, path string, variables map[string]any) ([]byte, error) {
	data, err := s.resource(ctx, path)
	if err != nil || !isTemplate(data) {
		return data, err
	}
	if !utf8.Valid(data) {
		return nil, failf(nonRecoverable, "render %s: the template is not UTF-8 text", path)
	}
	if s.cfg.Renderer == nil {
		return nil, failf(nonRecoverable, "render %s: templates cannot be rendered here", path)
	}
	text, err := s.cfg.Renderer.Render(ctx, s.url, string(data), variables)
	if f, ok := errors.AsType[*Failure](err); ok {
		return nil, failf(f.Type, "render %s: %s", path, f.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", path, err)
	}
	return []byte(text), nil
}

// isTemplate tells whether there is anything to render.
func isTemplate(data []byte) bool {
	text := string(data)
	return strings.Contains(text, "{{") || strings.Contains(text, "{%") || strings.Contains(text, "{#")
}

// download stores data at target, or at a place of its own.
func (s *Session) download(resource, target string, data []byte) (any, error) {
	target, err := s.place(resource, target)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(target, data, 0o644); err != nil {
		return nil, failf("FileNotFoundError", "download %s: %s", resource, err)
	}
	s.cfg.Host.Log("info", cleanText(fmt.Sprintf("Downloaded %s to %s", resource, target)))
	return target, nil
}

// place is where a download goes. Without a target that is the same place each
// time the operation runs for the instance, so that repeated operations do not
// fill the disk; a second download of that name in one run gets another.
func (s *Session) place(resource, target string) (string, error) {
	if target != "" {
		return s.absolute(target), nil
	}
	name := fileName(path.Base(filepath.ToSlash(resource)))
	s.mu.Lock()
	n := s.downloads[name]
	s.downloads[name]++
	s.mu.Unlock()
	req := s.cfg.Request
	owner := req.Self.InstanceID
	if r := req.Relationship; r != nil {
		owner = r.Source.InstanceID + "-" + r.Target.InstanceID
	}
	if owner == "" {
		owner = "deployment"
	}
	dir := filepath.Join(s.cfg.Downloads, fileName(owner), fileName(req.Name))
	if n > 0 {
		dir = filepath.Join(dir, strconv.Itoa(n+1))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a folder for the download of %s: %w", resource, err)
	}
	return filepath.Join(dir, name), nil
}

func (s *Session) downloadDirectory(ctx context.Context, directory, target string) (any, error) {
	files, err := s.cfg.Host.ResourceFiles(ctx, directory)
	if errors.Is(err, operation.ErrNoResource) || err == nil && len(files) == 0 {
		return nil, failf(httpException, "404 (%s) : No valid resource directory listing at found: %s", directory, directory)
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", directory, err)
	}
	root, err := s.place(directory, target)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if !filepath.IsLocal(filepath.FromSlash(f)) {
			return nil, failf(nonRecoverable, "download %s: %s leads out of the directory", directory, f)
		}
		data, err := s.resource(ctx, path.Join(directory, f))
		if err != nil {
			return nil, err
		}
		file := filepath.Join(root, filepath.FromSlash(f))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, fmt.Errorf("download %s: %w", directory, err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return nil, fmt.Errorf("download %s: %w", directory, err)
		}
	}
	return root, nil
}

// fileName makes a name fit for one element of a path.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r < ' ' {
			return '_'
		}
		return r
	}, name)
	if name == "" || name == "." || name == ".." {
		return "_"
	}
	const longest = 200
	if len(name) > longest {
		name = strings.ToValidUTF8(name[len(name)-longest:], "_")
	}
	return name
}
