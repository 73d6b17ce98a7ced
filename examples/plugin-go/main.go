// Notes is an example of a plugin in Go: it keeps a note in a file. See the
// README beside it.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"windlass/sdk/plugin"
)

func main() {
	plugin.Main(map[string]plugin.Operation{"write": write, "check": check, "remove": remove, "point": point})
}

// write makes the note from a template of the blueprint and remembers where it
// is.
func write(ctx context.Context, call *plugin.Call) (any, error) {
	var in struct{ Template, Reader string }
	if err := call.Inputs(&in); err != nil {
		return nil, err
	}
	self, err := call.Self(ctx)
	if err != nil {
		return nil, err
	}
	text, err := call.Resource(ctx, in.Template)
	if err != nil {
		return nil, err
	}
	t, err := template.New(in.Template).Option("missingkey=error").Parse(string(text))
	if err != nil {
		return nil, plugin.Fatal(err)
	}
	var note bytes.Buffer
	if err := t.Execute(&note, map[string]any{"reader": in.Reader, "instance": self.ID}); err != nil {
		return nil, plugin.Fatal(err)
	}
	path := filepath.Join(call.WorkDir, self.ID+".txt")
	if err := os.WriteFile(path, note.Bytes(), 0o644); err != nil {
		return nil, err // tried again: there may be room later
	}
	self.RuntimeProperties["path"] = path
	if err := self.Save(ctx); err != nil {
		return nil, err
	}
	call.Log.Info("wrote the note", "path", path, "bytes", note.Len())
	call.Event("a note for " + in.Reader)
	return note.Len(), nil
}

// check waits until the note is there.
func check(ctx context.Context, call *plugin.Call) (any, error) {
	self, err := call.Self(ctx)
	if err != nil {
		return nil, err
	}
	path, _ := self.RuntimeProperties["path"].(string)
	if path == "" {
		return nil, plugin.Fatal(errors.New("there is no note yet"))
	}
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, plugin.Again(time.Second, "the note is not there")
	case err != nil:
		return nil, err
	}
	return path, nil
}

// remove removes the note. That there is none is fine.
func remove(ctx context.Context, call *plugin.Call) (any, error) {
	self, err := call.Self(ctx)
	if err != nil {
		return nil, err
	}
	if path, ok := self.RuntimeProperties["path"].(string); ok {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	delete(self.RuntimeProperties, "path")
	return nil, self.Save(ctx)
}

// point is an operation of a relationship: it tells one note of another.
func point(ctx context.Context, call *plugin.Call) (any, error) {
	source, err := call.Source(ctx)
	if err != nil {
		return nil, err
	}
	target, err := call.Target(ctx)
	if err != nil {
		return nil, err
	}
	source.RuntimeProperties["see"] = fmt.Sprint(target.RuntimeProperties["path"])
	return nil, source.Save(ctx)
}
