package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// download is a command that stores an archive of the manager on this machine.
// path gives its address for an id. Those who may read the file are as mode says.
func (a *app) download(what, short string, mode fs.FileMode, path func(id string) string) *cobra.Command {
	var output string
	c := leaf("download ID", short, cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		stored, err := cl.download(c.Context(), path(args[0]), output, mode)
		if err != nil {
			return fmt.Errorf("download %s: %w", args[0], err)
		}
		if a.json {
			return a.printJSON(object{"output_path": stored})
		}
		a.say("%s downloaded as %s", what, stored)
		return nil
	}
	c.Flags().StringVarP(&output, "output-path", "o", "", "the file; the archive's name by default")
	return c
}

// download stores what is found at an address in a new file, whole or not at
// all, and returns the file's name: output, or else what the manager calls it.
func (c *client) download(ctx context.Context, path, output string, mode fs.FileMode) (string, error) {
	res, err := c.send(ctx, http.MethodGet, path, nil, nil, "")
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	if output == "" {
		_, params, _ := mime.ParseMediaType(res.Header.Get("Content-Disposition")) // without a name the next line tells
		if output = filepath.Base(params["filename"]); params["filename"] == "" {
			return "", errors.New("the manager doesn't name the file: name it with -o")
		}
	}
	if err := create(output, mode, func(w io.Writer) error {
		_, err := io.Copy(w, res.Body)
		return err
	}); err != nil {
		return "", err
	}
	return output, nil
}

// create writes a new file. What is there stays: it is an error, as it is for
// the original's client. Of a file that can't be written whole nothing stays.
func create(name string, mode fs.FileMode, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("there is a file %s already: remove it, or name another one with -o", name)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
