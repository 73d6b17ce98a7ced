package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strings"

	"windlass/internal/access"
	"windlass/internal/catalog"
	"windlass/internal/value"
)

const maxUploadParams = 16 << 20

// blueprintUpload is a blueprint on its way in: the parameters, and the archive
// as a stream if there is one.
type blueprintUpload struct {
	params  map[string]any
	archive io.Reader // nil: none
}

// readUpload reads an upload in any of its forms: multipart with params and
// the archive, or the archive as the body with parameters in the query.
func (s *server) readUpload(w http.ResponseWriter, r *request) (blueprintUpload, error) {
	body := s.incoming(w, r.Request, s.MaxUpload)
	media, args, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && media == "multipart/form-data" {
		return readMultipart(multipart.NewReader(body, args["boundary"]))
	}
	u := blueprintUpload{params: map[string]any{}}
	for name, values := range r.query {
		u.params[name] = values[0]
	}
	if r.ContentLength != 0 {
		u.archive = body
	}
	return u, nil
}

// readMultipart reads up to the archive, whose part is handed on as a stream.
// Parameters that follow it would come too late: then the archive is spooled.
func readMultipart(parts *multipart.Reader) (blueprintUpload, error) {
	u := blueprintUpload{params: map[string]any{}}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return u, nil
		}
		if err != nil {
			return u, readError(err)
		}
		switch part.FormName() {
		case "params":
			data, err := io.ReadAll(io.LimitReader(part, maxUploadParams+1))
			if err != nil {
				return u, readError(err)
			}
			if len(data) > maxUploadParams {
				return u, badParameter("The part `params` is larger than %d bytes", maxUploadParams)
			}
			if u.params, err = value.DecodeMap(data); err != nil {
				return u, badParameter("The part `params` is not a JSON object: %s", err)
			}
		case "blueprint_archive":
			u.archive = part
			if len(u.params) > 0 {
				return u, nil
			}
			spooled, err := spool(part)
			if err != nil {
				return u, err
			}
			rest, err := readMultipart(parts)
			if err != nil {
				spooled.Close()
				return u, err
			}
			return blueprintUpload{params: rest.params, archive: spooled}, nil
		}
	}
}

// spooled is a file that goes away when it is closed.
type spooled struct{ *os.File }

func (s spooled) Close() error {
	return errors.Join(s.File.Close(), os.Remove(s.Name()))
}

// spool copies r into a temporary file, to be read from its start.
func spool(r io.Reader) (spooled, error) {
	f, err := os.CreateTemp("", "windlass-*")
	if err != nil {
		return spooled{}, fmt.Errorf("make a temporary file: %w", err)
	}
	t := spooled{f}
	if _, err = io.Copy(f, r); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		t.Close()
		return spooled{}, readError(err)
	}
	return t, nil
}

func (s *server) uploadBlueprint(w http.ResponseWriter, r *request) error {
	return s.takeBlueprint(w, r, false)
}

func (s *server) validateBlueprint(w http.ResponseWriter, r *request) error {
	return s.takeBlueprint(w, r, true)
}

func (s *server) takeBlueprint(w http.ResponseWriter, r *request, validateOnly bool) error {
	if err := access.CheckName("blueprint_id", r.PathValue("id"), true); err != nil {
		return err
	}
	up, err := s.readUpload(w, r)
	if err != nil {
		return err
	}
	if c, isFile := up.archive.(io.Closer); isFile {
		defer c.Close()
	}
	u, async, err := s.toUpload(r, up)
	if err != nil {
		return err
	}
	u.ValidateOnly = validateOnly
	b, err := s.Catalog.UploadBlueprint(r.Context(), u)
	if err != nil {
		return err
	}
	if !async && !validateOnly {
		ctx, cancel := s.patient(r)
		defer cancel()
		b, err = s.Catalog.WaitForUpload(ctx, b)
		if errors.Is(err, context.DeadlineExceeded) {
			return fail("invalid_blueprint_error", "Blueprint `%s` is still %s after %s. Ask for its state later", u.ID, b.State, s.CreateWait)
		}
		if err != nil {
			return err
		}
	}
	return s.replyBlueprint(w, r, http.StatusCreated, b)
}

// toUpload reads the parameters of an upload.
func (s *server) toUpload(r *request, up blueprintUpload) (catalog.Upload, bool, error) {
	u := catalog.Upload{Tenant: r.tenant, ID: r.PathValue("id"), CreatedBy: r.caller.Username, Archive: up.archive}
	r.body = up.params
	for name, v := range up.params { // absent and null are the same
		if v == nil {
			delete(up.params, name)
		}
	}
	if err := checkBody(up.params, fields(`visibility application_file_name blueprint_archive_url created_at created_by state`)); err != nil {
		return u, false, err
	}
	flags := map[string]bool{}
	for _, name := range []string{"async_upload", "skip_execution", "private_resource"} {
		if v, given := up.params[name]; given {
			b, err := parseBool(name, v)
			if err != nil {
				return u, false, err
			}
			flags[name], up.params[name] = b, b
		}
	}
	if flags["skip_execution"] {
		return u, false, notYet("Uploading a blueprint without parsing it (skip_execution)")
	}
	var err error
	if u.Visibility, err = r.visibility(); err != nil {
		return u, false, err
	}
	if u.CreatedBy, err = r.owner("created_by", u.CreatedBy); err != nil {
		return u, false, err
	}
	u.URL = r.str("blueprint_archive_url")
	if u.MainFile, err = url.PathUnescape(r.str("application_file_name")); err != nil {
		return u, false, badParameter("application_file_name is not percent-encoded rightly: %s", err)
	}
	if strings.Contains(u.MainFile, "\x00") {
		return u, false, badParameter("application_file_name contains a NUL character")
	}
	if raw, given := up.params["labels"]; given {
		items, isList := raw.([]any)
		if str, isText := raw.(string); isText { // raw uploads carry it in the query
			decoded, err := value.Decode([]byte(str))
			if err != nil {
				return u, false, badParameter(badLabels)
			}
			items, isList = decoded.([]any)
		}
		if !isList {
			return u, false, badParameter(badLabels)
		}
		if u.Labels, err = parseLabels(items, u.CreatedBy, s.Now()); err != nil {
			return u, false, err
		}
	}
	return u, flags["async_upload"], nil
}

// sendFile sends a download with its name and length; clients need both.
func (s *server) sendFile(w http.ResponseWriter, content io.Reader, name string) error {
	seeker, isSeeker := content.(io.ReadSeeker)
	if !isSeeker {
		f, err := spool(content)
		if err != nil {
			return err
		}
		defer f.Close()
		seeker = f
	}
	size, err := seeker.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = seeker.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("measure %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	h.Set("Content-Length", fmt.Sprint(size))
	w.WriteHeader(http.StatusOK)
	_, _ = io.CopyN(&patientWriter{w: w, rc: http.NewResponseController(w), s: s}, seeker, size)
	return nil
}

// patientWriter gives up on a client that takes nothing for longer than Patience.
type patientWriter struct {
	w  io.Writer
	rc *http.ResponseController
	s  *server
}

func (p *patientWriter) Write(b []byte) (int, error) {
	_ = p.rc.SetWriteDeadline(p.s.deadline())
	return p.w.Write(b)
}
