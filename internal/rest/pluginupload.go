package rest

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"strings"

	"windlass/internal/store"
	"windlass/internal/value"
)

const maxPluginYAML = 16 << 20

// incomingPlugin is a plugin on its way in: its archive as a stream, and what
// came beside it.
type incomingPlugin struct {
	params    map[string]any
	archive   io.Reader // nil: none came
	name      string    // of the archive's file, if that was told
	documents map[string][]byte
	spooled   []spooled
}

func (p *incomingPlugin) close() {
	for _, f := range p.spooled {
		_ = f.Close()
	}
}

// readPluginUpload reads an upload in any of its forms: the archive as the
// body with parameters in the query, or a form with the archive, plugin.yaml
// files and parameters.
func (s *server) readPluginUpload(w http.ResponseWriter, r *request) (*incomingPlugin, error) {
	p := &incomingPlugin{params: map[string]any{}, documents: map[string][]byte{}}
	for name, values := range r.query {
		p.params[name] = values[0]
	}
	body := s.incoming(w, r.Request, s.MaxUpload)
	media, args, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && media == "multipart/form-data" {
		return p, p.readForm(multipart.NewReader(body, args["boundary"]))
	}
	if r.ContentLength != 0 {
		p.archive = body
		p.name = fileNameOf(r.Header.Get("Content-Disposition"))
	}
	return p, nil
}

func fileNameOf(disposition string) string {
	_, args, err := mime.ParseMediaType(disposition)
	if err != nil || args["filename"] == "" {
		return ""
	}
	return path.Base(args["filename"])
}

// readForm reads the parts of a form: files are documents by their names, the
// parts called plugin_yaml, or the archive; all else are parameters.
func (p *incomingPlugin) readForm(parts *multipart.Reader) error {
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return readError(err)
		}
		name, file := part.FormName(), path.Base(part.FileName())
		isYAML := strings.HasPrefix(name, "plugin_yaml") || strings.HasSuffix(file, ".yaml") || strings.HasSuffix(file, ".yml")
		switch {
		case isYAML:
			err = p.addDocument(part, file)
		case part.FileName() != "" || name == "plugin_archive" || name == "file":
			if p.archive != nil {
				return fail("invalid_plugin_error", "The form has more than one archive")
			}
			var t spooled
			if t, err = spool(part); err == nil {
				p.spooled, p.archive = append(p.spooled, t), t
				if part.FileName() != "" {
					p.name = file
				}
			}
		default:
			err = p.addParameter(part, name)
		}
		if err != nil {
			return err
		}
	}
}

func (p *incomingPlugin) addDocument(part io.Reader, name string) error {
	data, err := io.ReadAll(io.LimitReader(part, maxPluginYAML+1))
	if err != nil {
		return readError(err)
	}
	if len(data) > maxPluginYAML {
		return badParameter("The document %s is larger than %d bytes", name, maxPluginYAML)
	}
	if name == "" || name == "." || name == "/" {
		name = "plugin.yaml"
	}
	p.documents[name] = data
	return nil
}

func (p *incomingPlugin) addParameter(part io.Reader, name string) error {
	data, err := io.ReadAll(io.LimitReader(part, maxUploadParams+1))
	if err != nil {
		return readError(err)
	}
	if len(data) > maxUploadParams {
		return badParameter("The part `%s` is larger than %d bytes", name, maxUploadParams)
	}
	if name != "params" {
		p.params[name] = string(data)
		return nil
	}
	params, err := value.DecodeMap(data)
	if err != nil {
		return badParameter("The part `params` is not a JSON object: %s", err)
	}
	for k, v := range params {
		if v != nil {
			p.params[k] = v
		}
	}
	return nil
}

func (s *server) uploadPlugin(w http.ResponseWriter, r *request) error {
	in, err := s.readPluginUpload(w, r)
	if in != nil {
		defer in.close()
	}
	if err != nil {
		return err
	}
	u, err := s.pluginUpload(r, in.params)
	if err != nil {
		return err
	}
	u.Archive, u.Name, u.Documents = in.archive, in.name, in.documents
	if from := r.str("plugin_archive_url"); from != "" {
		if in.archive != nil {
			return badParameter("Can't pass both a plugin URL via query parameters and plugin via chunked.")
		}
		if s.Fetch == nil {
			return notYet("Fetching a plugin from a URL")
		}
		fetched, err := s.Fetch(r.Context(), from)
		if err != nil {
			return fail("param_url_not_found_error", "Cannot fetch URL: %s", err)
		}
		defer func() { _ = fetched.Close() }()
		u.Archive = fetched
		if parsed, err := url.Parse(from); err == nil {
			u.Name = path.Base(parsed.Path)
		}
	}
	if u.Archive == nil {
		return fail("upload_missing_file", "Missing plugin archive in the request's body, and no plugin_archive_url is given")
	}
	plugins, bundle, err := s.Plugins.UploadPlugins(r.Context(), u)
	if err != nil {
		return err
	}
	if !bundle && len(plugins) == 1 {
		return replyOne(w, r, http.StatusCreated, pluginShape, plugins[0])
	}
	return replyPlugins(w, r, plugins)
}

// replyPlugins answers the upload of a bundle: a list, as if it had been asked
// for, but created.
func replyPlugins(w http.ResponseWriter, r *request, plugins []store.Plugin) error {
	include := includes(r)
	if err := pluginShape.check(include); err != nil {
		return err
	}
	items := make([]any, len(plugins))
	for i, p := range plugins {
		items[i] = pluginShape.encode(p, include)
	}
	l := listing{size: max(pageSize, len(plugins))}
	writeJSON(w, http.StatusCreated, l.envelope(items, len(plugins), nil))
	return nil
}
