package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"windlass/internal/blueprint/archive"
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

var blueprintColumns = []string{
	"id", "description", "main_file_name", "created_at", "updated_at", "visibility", "tenant_name", "created_by", "state", "error", "labels",
}

func (a *app) blueprintsCommand() *cobra.Command {
	return group("blueprints", "Take in blueprints and look at them",
		a.uploadCommand(),
		a.filtered(a.lister("list", "List blueprints", "/blueprints", "Blueprints:", fixed(blueprintColumns), nil, shownBlueprint),
			"blueprints", "Blueprints:", blueprintColumns, shownBlueprint),
		a.labelsCommand("blueprint"), a.filtersCommand("blueprints"),
		leaf("get ID", "Show a blueprint", cobra.ExactArgs(1), a.getBlueprint),
		a.deleteBlueprintCommand(), a.validateCommand(), a.planCommand(),
		a.inputsCommand(), a.packageCommand(), a.downloadCommand(), a.requirementsCommand(), a.schemaCommand(),
	)
}

func shownBlueprint(o object) object {
	o["description"], o["error"] = clip(text(o, "description")), clip(text(o, "error"))
	return o
}

func clip(s string) string {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\n", " "))
	if r := []rune(s); len(r) > 50 {
		return string(r[:47]) + "..."
	}
	return s
}

func (a *app) uploadCommand() *cobra.Command {
	var id, file, visibility string
	c := leaf("upload PATH|URL", "Upload a blueprint: its file, its folder, an archive or a URL", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		b, err := a.upload(c.Context(), cl, args[0], id, file, visibility)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(object{"id": b})
		}
		a.say("Blueprint uploaded. The blueprint's id is %s", b)
		return nil
	}
	c.Flags().StringVarP(&id, "blueprint-id", "b", "", "its id; the folder's name by default")
	mainFileFlag(c, &file)
	c.Flags().StringVarP(&visibility, "visibility", "l", "tenant", "private, tenant or global")
	c.Flags().StringVarP(&a.tenant, "tenant-name", "t", "", "the tenant")
	return c
}

// upload validates what is on this machine, sends it, and waits until the
// manager has parsed it.
func (a *app) upload(ctx context.Context, cl *client, path, id, file, visibility string) (string, error) {
	params := object{"async_upload": true, "visibility": visibility}
	var body io.Reader
	switch {
	case isURL(path):
		if id == "" {
			return "", usageError{errors.New("name the blueprint with -b")}
		}
		params["blueprint_archive_url"] = path
	case isArchive(path):
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		body = f
		if id == "" {
			id = archiveName(path)
		}
	default:
		s, err := findSource(path, file)
		if err != nil {
			return "", err
		}
		// Mistakes are told before anything is sent. What imports something that
		// only the manager has is judged there.
		if _, err := a.parse(ctx, s); err != nil && !importsFromManager(err) {
			return "", err
		}
		file = s.file
		full, err := filepath.Abs(s.dir)
		if err != nil {
			return "", err
		}
		if id == "" {
			id = filepath.Base(full)
		}
		var packed bytes.Buffer
		if err := archive.Pack(&packed, s.dir, filepath.Base(full)); err != nil {
			return "", err
		}
		body = &packed
	}
	if file != "" {
		params["application_file_name"] = file
	}
	a.say("Uploading blueprint %s...", path)
	b, err := cl.upload(ctx, id, params, body)
	if err != nil {
		return "", err
	}
	return id, a.waitForUpload(ctx, cl, id, b)
}

// importsFromManager tells whether a blueprint is wrong, here, because it imports
// an uploaded plugin or blueprint.
func importsFromManager(err error) bool {
	return slices.ContainsFunc(problem.All(err), func(p *problem.Problem) bool {
		return strings.Contains(p.Message, "can only be imported on a manager")
	})
}

func (a *app) waitForUpload(ctx context.Context, cl *client, id string, b object) error {
	execution, _ := b["upload_execution"].(object)
	if run := text(execution, "id"); run != "" {
		if _, err := a.follow(ctx, cl, run, 0, func(e object) {
			if level := text(e, "level"); level == "warning" && !a.json {
				fmt.Fprintln(a.Stderr, text(e, "message"))
			}
		}); err != nil && !isNotFound(err) {
			return err
		}
	}
	now, err := cl.get(ctx, "/blueprints/"+url.PathEscape(id), nil)
	if err != nil {
		return err
	}
	if state := text(now, "state"); state != "uploaded" {
		return fmt.Errorf("blueprint %s: %s: %s", id, state, text(now, "error"))
	}
	return nil
}

func (a *app) getBlueprint(c *cobra.Command, args []string) error {
	cl, err := a.client(c.Context())
	if err != nil {
		return err
	}
	b, err := cl.get(c.Context(), "/blueprints/"+url.PathEscape(args[0]), nil)
	if err != nil {
		return err
	}
	users, _, err := cl.list(c.Context(), "/deployments", url.Values{"blueprint_id": {args[0]}, "_include": {"id"}})
	if err != nil {
		return err
	}
	ids := []any{}
	for _, d := range users {
		ids = append(ids, d["id"])
	}
	b["deployments"] = ids
	if a.json {
		return a.printJSON(b)
	}
	return a.details("Blueprint:", append(append([]string{}, blueprintColumns...), "deployments"), b)
}

func (a *app) deleteBlueprintCommand() *cobra.Command {
	var force bool
	c := leaf("delete ID", "Delete a blueprint", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		q := url.Values{}
		if force {
			q.Set("force", "true")
		}
		a.say("Deleting blueprint %s...", args[0])
		if _, err := cl.do(c.Context(), http.MethodDelete, "/blueprints/"+url.PathEscape(args[0]), q, nil); err != nil {
			return err
		}
		a.say("Blueprint deleted")
		return nil
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "also if others import it")
	return c
}

func (a *app) validateCommand() *cobra.Command {
	var file string
	c := leaf("validate PATH", "Check a blueprint, its folder or an archive: all problems at once", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := openSource(args[0], file)
		if err != nil {
			return err
		}
		defer s.close()
		a.say("Validating blueprint: %s", s.shown())
		if _, err := a.parse(c.Context(), s); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(object{"valid": true})
		}
		a.say("Blueprint validated successfully")
		return nil
	}
	mainFileFlag(c, &file)
	return c
}

func mainFileFlag(c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "blueprint-filename", "n", "", "the main file; blueprint.yaml by default")
}

func (a *app) inputsCommand() *cobra.Command {
	var file string
	c := leaf("inputs ID|PATH", "Show a blueprint's inputs", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error { return a.blueprintInputs(c.Context(), args[0], file) }
	mainFileFlag(c, &file)
	return c
}

func (a *app) blueprintInputs(ctx context.Context, blueprint, file string) error {
	var inputs object
	if _, err := os.Stat(blueprint); err == nil {
		s, err := openSource(blueprint, file)
		if err != nil {
			return err
		}
		defer s.close()
		p, err := a.parse(ctx, s)
		if err != nil {
			return err
		}
		v, err := value.Of(p.Inputs)
		if err != nil {
			return err
		}
		inputs, _ = v.(object)
	} else {
		cl, err := a.client(ctx)
		if err != nil {
			return err
		}
		b, err := cl.get(ctx, "/blueprints/"+url.PathEscape(blueprint), nil)
		if err != nil {
			return err
		}
		p, _ := b["plan"].(object)
		inputs, _ = p["inputs"].(object)
	}
	var rows []object
	for _, name := range value.SortedKeys(inputs) {
		row, _ := inputs[name].(object)
		shown := object{"name": name, "type": row["type"], "default": row["default"], "description": row["description"]}
		rows = append(rows, shown)
	}
	return a.table("Inputs:", []string{"name", "type", "default", "description"}, rows)
}

func (a *app) packageCommand() *cobra.Command {
	var output string
	c := leaf("package PATH", "Pack a blueprint's folder into a tar.gz archive", cobra.ExactArgs(1), nil)
	c.RunE = func(_ *cobra.Command, args []string) error {
		if isArchive(args[0]) {
			return usageError{fmt.Errorf("%s is an archive already: name a blueprint or its folder", args[0])}
		}
		if e := filepath.Ext(output); e != "" && e != ".gz" && e != ".tgz" {
			return usageError{fmt.Errorf("the archive is a tar.gz: don't call it %s", output)}
		}
		s, err := findSource(args[0], "")
		if err != nil {
			return err
		}
		full, err := filepath.Abs(s.dir)
		if err != nil {
			return err
		}
		if output == "" {
			output = filepath.Base(full) + ".tar.gz"
		}
		var packed bytes.Buffer // the file may come to lie in the folder
		if err := archive.Pack(&packed, s.dir, filepath.Base(full)); err != nil {
			return err
		}
		if err := create(output, 0o644, func(w io.Writer) error { _, err := packed.WriteTo(w); return err }); err != nil {
			return err
		}
		a.say("Packaged %s to %s", s.dir, output)
		return nil
	}
	c.Flags().StringVarP(&output, "output-path", "o", "", "the file to make; the folder's name by default")
	return c
}

func (a *app) downloadCommand() *cobra.Command {
	return a.download("Blueprint", "Download a blueprint's archive", 0o644, func(id string) string {
		return "/blueprints/" + url.PathEscape(id) + "/archive"
	})
}
