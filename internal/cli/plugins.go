package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"windlass/internal/blueprint/archive"
	"windlass/internal/plugin"
)

var pluginColumns = []string{
	"id", "package_name", "package_version", "title", "installation_state", "distribution", "supported_platform", "uploaded_at",
	"visibility", "tenant_name", "created_by",
}

func (a *app) pluginsCommand() *cobra.Command {
	g := group("plugins", "Packages with operations and workflows",
		a.uploadPluginCommand(), a.validatePluginCommand(), a.initPluginCommand(), a.testPluginCommand(),
		a.lister("list", "List plugins", "/plugins", "Plugins:", fixed(pluginColumns), nil, shownPlugin),
		leaf("get ID", "Show a plugin", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			v, err := a.request(c, http.MethodGet, pluginPath(args[0]), nil)
			o, _ := v.(object)
			if err != nil || a.json {
				return errors.Join(err, a.jsonOf(o, err))
			}
			return a.details("Plugin:", append(append([]string{}, pluginColumns...),
				"archive_name", "package_source", "supported_py_versions", "wheels", "labels"), shownPlugin(o))
		}),
		leaf("install ID", "Have a plugin installed before something needs it", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			v, err := a.request(c, http.MethodPost, pluginPath(args[0]), object{"action": "install"})
			if err != nil || a.json {
				return errors.Join(err, a.jsonOf(v, err))
			}
			a.say("Plugin %s is being installed", args[0])
			return nil
		}),
		leaf("set-visibility ID VISIBILITY", "Widen a plugin's visibility: tenant or global", cobra.ExactArgs(2), func(c *cobra.Command, args []string) error {
			if _, err := a.request(c, http.MethodPatch, pluginPath(args[0])+"/set-visibility", object{"visibility": args[1]}); err != nil {
				return err
			}
			a.say("Plugin `%s` was set to %s", args[0], args[1])
			return nil
		}),
		leaf("set-global ID", "Make a plugin visible to all tenants", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			if _, err := a.request(c, http.MethodPatch, pluginPath(args[0])+"/set-visibility", object{"visibility": "global"}); err != nil {
				return err
			}
			a.say("Plugin `%s` was set to global", args[0])
			return nil
		}),
		leaf("set-owner ID USER", "Give a plugin to another user", cobra.ExactArgs(2), func(c *cobra.Command, args []string) error {
			if _, err := a.request(c, http.MethodPatch, pluginPath(args[0]), object{"creator": args[1]}); err != nil {
				return err
			}
			a.say("Plugin `%s` is now owned by user `%s`.", args[0], args[1])
			return nil
		}),
		a.downloadPluginCommand(), a.deletePluginCommand(), a.updatePluginsCommand(), a.pluginsUpdatesCommand(), a.pluginsUpdateCommand(),
		a.downloadPluginYAMLCommand(), a.uploadBundleCommand(),
	)
	for _, gift := range pluginGifts {
		g.AddCommand(a.pluginGiftCommand(gift))
	}
	return g
}

func pluginPath(id string) string { return "/plugins/" + url.PathEscape(id) }

// shownPlugin tells how many places have it installed.
func shownPlugin(o object) object {
	places, _ := o["installation_state"].([]any)
	installed, failed := 0, 0
	for _, p := range places {
		state, _ := p.(object)
		switch text(state, "state") {
		case "installed":
			installed++
		case "error":
			failed++
		}
	}
	o["installation_state"] = "uploaded"
	switch {
	case failed > 0:
		o["installation_state"] = fmt.Sprintf("failed on %d", failed)
	case installed > 0:
		o["installation_state"] = fmt.Sprintf("installed on %d", installed)
	}
	return o
}

func (a *app) uploadPluginCommand() *cobra.Command {
	var documents []string
	var title, visibility, icon string
	c := leaf("upload PATH|URL", "Upload a plugin: a wagon, a wheel, a source archive, a zip of these with plugin.yaml files, or a folder", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		query := url.Values{}
		for name, v := range map[string]string{"title": title, "visibility": visibility} {
			if v != "" {
				query.Set(name, v)
			}
		}
		a.say("Uploading plugin %s...", args[0])
		v, err := a.uploadPlugin(c, args[0], documents, query)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(v)
		}
		o, _ := v.(object)
		if items, bundle := o["items"].([]any); bundle {
			for _, item := range items {
				p, _ := item.(object)
				a.say("Plugin uploaded. Plugin's id is %s (%s %s)", text(p, "id"), text(p, "package_name"), text(p, "package_version"))
			}
			return nil
		}
		a.say("Plugin uploaded. Plugin's id is %s", text(o, "id"))
		return nil
	}
	f := c.Flags()
	f.StringArrayVarP(&documents, "yaml-path", "y", nil, "a plugin.yaml for blueprints, if the archive has none; may be given several times")
	f.StringVarP(&title, "title", "t", "", "a name for people")
	f.StringVarP(&visibility, "visibility", "l", "", "private, tenant or global")
	f.StringVarP(&icon, "icon-path", "i", "", "accepted for the original's scripts; there are no icons")
	return c
}

// uploadPlugin sends a plugin with its documents, or has the manager fetch it.
func (a *app) uploadPlugin(c *cobra.Command, path string, documents []string, query url.Values) (any, error) {
	cl, err := a.client(c.Context())
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, name := range documents {
		if err := addFile(form, "plugin_yaml", name); err != nil {
			return nil, err
		}
	}
	if isURL(path) {
		query.Set("plugin_archive_url", path)
	} else if err := addPlugin(form, path); err != nil {
		return nil, err
	}
	if err := form.Close(); err != nil {
		return nil, err
	}
	res, err := cl.send(c.Context(), http.MethodPost, "/plugins", query, &body, form.FormDataContentType())
	if err != nil {
		return nil, err
	}
	return readAnswer(res)
}

// addPlugin adds an archive, or a folder as one.
func addPlugin(form *multipart.Writer, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("find the plugin: %w", err)
	}
	if !info.IsDir() {
		return addFile(form, "plugin_archive", path)
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	part, err := form.CreateFormFile("plugin_archive", filepath.Base(full)+".tar.gz")
	if err != nil {
		return err
	}
	return archive.Pack(part, full, filepath.Base(full))
}

func addFile(form *multipart.Writer, field, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read a file of the plugin: %w", err)
	}
	defer func() { _ = f.Close() }()
	part, err := form.CreateFormFile(field, filepath.Base(path))
	if err != nil {
		return err
	}
	_, err = io.Copy(part, f)
	return err
}

func (a *app) downloadPluginCommand() *cobra.Command {
	return a.download("Plugin", "Download a plugin's archive", 0o644, func(id string) string { return pluginPath(id) + "/archive" })
}

func (a *app) downloadPluginYAMLCommand() *cobra.Command {
	c := a.download("Plugin yaml", "Download a plugin's document for blueprints", 0o644, func(id string) string { return pluginPath(id) + "/yaml" })
	c.Use, c.Aliases = "download-yaml ID", []string{"download_yaml"}
	return c
}

// uploadBundleCommand uploads a file with many plugins, which upload does, too.
func (a *app) uploadBundleCommand() *cobra.Command {
	var path string
	c := leaf("bundle-upload [PATH|URL]", "Upload a bundle of plugins", cobra.MaximumNArgs(1), nil)
	upload := a.uploadPluginCommand()
	c.RunE = func(c *cobra.Command, args []string) error {
		if path != "" {
			args = append(args, path)
		}
		if len(args) != 1 {
			return usageError{errors.New("name the bundle of plugins")}
		}
		upload.SetContext(c.Context())
		return upload.RunE(c, args)
	}
	c.Flags().StringVarP(&path, "path", "p", "", "the bundle, as with the original's command")
	return c
}

func (a *app) deletePluginCommand() *cobra.Command {
	var force bool
	c := leaf("delete ID", "Delete a plugin that nothing uses", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		a.say("Deleting plugin %s...", args[0])
		if _, err := a.request(c, http.MethodDelete, pluginPath(args[0]), object{"force": force}); err != nil {
			return err
		}
		a.say("Plugin deleted")
		return nil
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "also if something uses it: its operations fail then")
	return c
}

// validatePluginCommand reports on a plugin before anything is uploaded.
func (a *app) validatePluginCommand() *cobra.Command {
	return leaf("validate PATH", "Tell what is in a plugin's archive and whether it fits this machine", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		m, err := plugin.Read(args[0])
		if err != nil {
			return err
		}
		report := plugin.Check(m, plugin.Interpreters(c.Context()))
		var documents []string
		for _, y := range m.YAML {
			documents = append(documents, y.Name)
		}
		o := object{
			"package_name": m.PackageName, "package_version": m.PackageVersion, "kind": string(m.Kind), "archive_name": m.ArchiveName,
			"requires_python": m.RequiresPython, "plugin_yaml": listOf(documents), "wheels": listOf(m.Wheels),
			"python": "", "problems": listOf(report.Problems), "warnings": listOf(report.Warnings),
		}
		if report.Fits() {
			o["python"] = report.Interpreter.Version()
		}
		if m.Program {
			o["python"] = "none is needed"
		}
		if a.json {
			err = a.printJSON(o)
		} else {
			err = a.details("Plugin:", []string{"package_name", "package_version", "kind", "archive_name", "requires_python", "plugin_yaml", "python"}, o)
			for _, w := range report.Warnings {
				a.say("warning: %s", w)
			}
		}
		if err == nil && !report.Fits() {
			err = fmt.Errorf("the plugin doesn't fit this machine: %s", strings.Join(report.Problems, "; "))
		}
		return err
	})
}
