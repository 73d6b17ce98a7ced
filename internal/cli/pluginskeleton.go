package cli

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"windlass/python"
)

// skeleton is a plugin to begin with. NAME in names and texts is the plugin's
// name, MODULE the name of its Python package.
//
//go:embed all:skeleton
var skeleton embed.FS

var pluginName = regexp.MustCompile(`^[a-z][a-z0-9]*([-_][a-z0-9]+)*$`)

func (a *app) initPluginCommand() *cobra.Command {
	return leaf("init NAME", "Make a folder with a plugin to begin with, and tests that pass", cobra.ExactArgs(1), func(_ *cobra.Command, args []string) error {
		name := args[0]
		if !pluginName.MatchString(name) {
			return fmt.Errorf("%q can't name a plugin: take lower-case letters, digits and - between, such as my-plugin", name)
		}
		if err := os.Mkdir(name, 0o755); errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("there is a folder or file %s already: nothing was changed", name)
		} else if err != nil {
			return fmt.Errorf("make the plugin: %w", err)
		}
		fill := strings.NewReplacer("NAME", name, "MODULE", strings.ReplaceAll(name, "-", "_"))
		err := fs.WalkDir(skeleton, "skeleton", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := skeleton.ReadFile(path)
			if err != nil {
				return err
			}
			relative := strings.TrimSuffix(strings.TrimPrefix(path, "skeleton/"), ".txt")
			target := filepath.Join(name, filepath.FromSlash(fill.Replace(relative)))
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			return os.WriteFile(target, []byte(fill.Replace(string(data))), 0o644)
		})
		if err != nil {
			return fmt.Errorf("make the plugin: %w", err)
		}
		a.say("Plugin %s is in the folder %s. Try: cd %s && cfy plugins test", name, name, name)
		return nil
	})
}

func (a *app) testPluginCommand() *cobra.Command {
	var interpreter string
	c := leaf("test [FOLDER]", "Run a plugin's tests against the framework's mocks", cobra.MaximumNArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		folder := "."
		if len(args) > 0 {
			folder = args[0]
		}
		if info, err := os.Stat(filepath.Join(folder, "tests")); err != nil || !info.IsDir() {
			return fmt.Errorf("there is no folder tests in %s: go to the plugin's folder, or name it", folder)
		}
		temporary, err := os.MkdirTemp("", "cfy-framework-")
		if err != nil {
			return fmt.Errorf("unpack the framework: %w", err)
		}
		defer func() { _ = os.RemoveAll(temporary) }()
		framework, err := python.Unpack(temporary)
		if err != nil {
			return fmt.Errorf("unpack the framework: %w", err)
		}
		run := exec.CommandContext(c.Context(), interpreter, "-m", "unittest", "discover", "-s", "tests", "-t", ".", "-v")
		run.Dir, run.Stdout, run.Stderr = folder, a.Stdout, a.Stderr
		path := framework
		if own := a.Getenv("PYTHONPATH"); own != "" {
			path = own + string(filepath.ListSeparator) + path
		}
		run.Env = append(os.Environ(), "PYTHONPATH="+path, "PYTHONDONTWRITEBYTECODE=1")
		err = run.Run()
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			return errors.New("the plugin's tests failed")
		}
		if err != nil {
			return fmt.Errorf("run the plugin's tests with %s: %w", interpreter, err)
		}
		return nil
	}
	c.Flags().StringVar(&interpreter, "python", "python3", "the interpreter")
	return c
}
