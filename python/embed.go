// Package python holds the Python framework that operations use, and unpacks
// it. It needs nothing but the standard library of Python 3.8 or newer.
//
//	run_script.py   runs a script of the script plugin
//	run_worker.py   serves a deployment's plugin operations and workflows
//	render.py       renders a Jinja2 template for a shell script
//	cloudify/       what scripts and plugins import
//	client/         the client of the REST API, for where none is installed
//	cloudify_types/ what the types that come with the manager do
package python

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

//go:embed *.py cloudify_types/*.py cloudify/*.py cloudify/plugins/*.py cloudify/workflows/*.py client/cloudify_rest_client/*.py
var files embed.FS

// Files is the framework as it is embedded.
func Files() fs.FS { return files }

// Unpack writes the framework below dir, into a folder named by its content,
// and returns that folder. What is there already is left alone, so several
// processes may do it at once.
func Unpack(dir string) (string, error) {
	digest, err := contentHash()
	if err != nil {
		return "", fmt.Errorf("read the embedded Python framework: %w", err)
	}
	target := filepath.Join(dir, digest)
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("unpack the Python framework: %w", err)
	}
	fresh, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return "", fmt.Errorf("unpack the Python framework: %w", err)
	}
	defer os.RemoveAll(fresh) // gone by its new name if all went well
	if err := errors.Join(os.Chmod(fresh, 0o755), os.CopyFS(fresh, files)); err != nil {
		return "", fmt.Errorf("unpack the Python framework: %w", err)
	}
	if err := os.Rename(fresh, target); err != nil {
		if _, statErr := os.Stat(target); statErr == nil {
			return target, nil // somebody else was first
		}
		return "", fmt.Errorf("unpack the Python framework: %w", err)
	}
	return target, nil
}

// contentHash names the framework by the names and contents of its files.
func contentHash() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := files.ReadFile(path.Clean(name))
		fmt.Fprintf(h, "%s %d\n", name, len(data))
		h.Write(data)
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:16], err
}
