package rest

import (
	"errors"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"windlass/internal/store"
)

// place is where a path below /resources leads: a folder, and a name inside it.
type place struct {
	dir    string
	name   string // "." for the folder itself
	folder bool   // the path ended in a slash
}

// place finds what the path names and checks that the caller may have it.
// Files are opened inside the folder (os.Root): nothing leads out of it.
func (s *server) place(r *request, write bool) (place, error) {
	whole := r.PathValue("path")
	p := place{folder: strings.HasSuffix(whole, "/") || whole == ""}
	parts := strings.Split(strings.Trim(whole, "/"), "/")
	section := parts[0]
	tenant, owner, rest := at(parts, 1), at(parts, 2), from(parts, 3)
	missing := fail("not_found_error", "File not found: /resources/%s", whole)
	var err error
	switch section {
	case "blueprints":
		var b store.Blueprint
		if b, err = s.blueprintOf(r, tenant, owner); err == nil && b.ArchiveHash == "" {
			return p, missing
		}
		if err == nil {
			p.dir, err = s.Files.BlueprintDir(r.Context(), tenant, owner)
		}
	case "deployments":
		permission := "deployment_get"
		if write {
			permission = "deployment_update"
		}
		if err = s.deploymentOf(r, tenant, owner, permission); err == nil {
			p.dir, err = s.Files.WorkDir(tenant, owner)
		}
	case "tenant-resources":
		if err = r.caller.Check(tenant, "blueprint_download"); err == nil {
			p.dir, rest = s.Files.SharedDir(tenant), from(parts, 2)
		}
	case "global-resources":
		p.dir, rest = s.Files.SharedDir(""), from(parts, 1)
	default:
		return p, missing
	}
	if err != nil {
		return p, err
	}
	if write && section != "deployments" {
		return p, fail("forbidden_error", "Only files of deployments can be changed, not /resources/%s", section)
	}
	p.name = strings.TrimPrefix(path.Clean("/"+rest), "/")
	if p.name == "" {
		p.name, p.folder = ".", true
	}
	return p, nil
}

func at(parts []string, i int) string {
	if i < len(parts) {
		return parts[i]
	}
	return ""
}

func from(parts []string, i int) string {
	if i < len(parts) {
		return strings.Join(parts[i:], "/")
	}
	return ""
}

// blueprintOf reads a blueprint for its files; a global one is everybody's.
func (s *server) blueprintOf(r *request, tenant, id string) (store.Blueprint, error) {
	b, err := s.Store.GetBlueprint(r.Context(), tenant, id)
	if err != nil {
		return b, err
	}
	if b.Visibility == store.Global && r.tenant != "" {
		return b, r.caller.Check(r.tenant, "blueprint_download")
	}
	if err := r.caller.Check(tenant, "blueprint_download"); err != nil {
		return b, err
	}
	if !r.caller.Sees(tenant, b.Owned) {
		return b, notFound("Blueprint", id)
	}
	return b, nil
}

func (s *server) deploymentOf(r *request, tenant, id, permission string) error {
	d, err := s.Store.GetDeployment(r.Context(), tenant, id)
	if err != nil {
		return err
	}
	if err := r.caller.Check(tenant, permission); err != nil {
		return err
	}
	if d.Tenant != tenant || !r.caller.Sees(tenant, d.Owned) {
		return notFound("Deployment", id)
	}
	return nil
}

// inside opens the folder of a place and calls fn with it.
func (s *server) inside(r *request, write bool, fn func(root *os.Root, p place) error) error {
	if strings.HasPrefix(r.PathValue("path"), "uploaded-blueprints/") && !write {
		return errUploaded
	}
	p, err := s.place(r, write)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(p.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fail("not_found_error", "File not found: %s", r.URL.Path)
	}
	if err != nil {
		return err
	}
	defer root.Close()
	err = fn(root, p)
	var denied *fs.PathError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &denied) {
		// a link or path that leads out of the folder is as good as nothing
		return fail("not_found_error", "File not found: %s", r.URL.Path)
	}
	return err
}

var errUploaded = errors.New("an archive as uploaded")

func (s *server) getResource(w http.ResponseWriter, r *request) error {
	packed, err := r.queryFlag("archive", false)
	if err != nil {
		return err
	}
	if strings.HasPrefix(r.PathValue("path"), "plugins/") {
		return s.getPluginResource(w, r)
	}
	err = s.inside(r, false, func(root *os.Root, p place) error {
		info, err := root.Stat(p.name)
		if err != nil {
			return err
		}
		switch {
		case info.IsDir() && packed:
			return s.sendPacked(w, root, p.name)
		case info.IsDir() && p.folder:
			index, err := indexOf(root, p.name)
			if err != nil {
				return err
			}
			return ok(w, typed(index))
		case info.IsDir() || !info.Mode().IsRegular():
			return fs.ErrNotExist
		}
		f, err := root.Open(p.name)
		if err != nil {
			return err
		}
		defer f.Close()
		return s.sendFile(w, f, path.Base(p.name))
	})
	if errors.Is(err, errUploaded) {
		return s.getUploaded(w, r)
	}
	return err
}

// getUploaded sends a blueprint's archive as it was uploaded:
// uploaded-blueprints/<tenant>/<blueprint>/<file>.
func (s *server) getUploaded(w http.ResponseWriter, r *request) error {
	parts := strings.Split(r.PathValue("path"), "/")
	tenant, id := at(parts, 1), at(parts, 2)
	if _, err := s.blueprintOf(r, tenant, id); err != nil {
		return err
	}
	content, name, err := s.Catalog.BlueprintArchive(r.Context(), tenant, id)
	if err != nil {
		return err
	}
	defer content.Close()
	if want := at(parts, 3); want != name {
		return fail("not_found_error", "File not found: %s", r.URL.Path)
	}
	return s.sendFile(w, content, name)
}

// putResource stores a file in a deployment's work folder, or unpacks an
// archive there.
func (s *server) putResource(w http.ResponseWriter, r *request) error {
	extract := r.query.Get("extract")
	return s.inside(r, true, func(root *os.Root, p place) error {
		if p.folder && extract == "" {
			return badParameter("A file can't be put in place of a folder; use extract=yes to unpack an archive into it")
		}
		in := &incomingFile{content: s.incoming(w, r.Request, s.MaxUpload)}
		media, args, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err == nil && media == "multipart/form-data" {
			if err := in.readForm(multipart.NewReader(in.content, args["boundary"])); err != nil {
				return err
			}
			defer in.Close()
		}
		if extract != "" {
			err = unpackInto(root, p.name, in.content)
		} else {
			err = writeInto(root, p.name, in.content, in.modified)
		}
		if err != nil {
			return err
		}
		return ok(w, nil)
	})
}

// incomingFile is a file on its way in, with its time of change if that was given.
type incomingFile struct {
	content  io.Reader
	modified time.Time
	spooled  *spooled
}

func (f *incomingFile) Close() {
	if f.spooled != nil {
		f.spooled.Close()
	}
}

// readForm reads the parts file and mtime, in any order.
func (f *incomingFile) readForm(parts *multipart.Reader) error {
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return readError(err)
		}
		switch part.FormName() {
		case "file":
			t, err := spool(part)
			if err != nil {
				return err
			}
			f.Close()
			f.spooled, f.content = &t, t
		case "mtime":
			data, err := io.ReadAll(io.LimitReader(part, 100))
			if err != nil {
				return readError(err)
			}
			if f.modified, err = parseNaive(string(data)); err != nil {
				return err
			}
		}
	}
	if f.spooled == nil {
		return fail("upload_missing_file", "The part `file` is missing")
	}
	return nil
}

// postResource stores the files of a form in a folder.
func (s *server) postResource(w http.ResponseWriter, r *request) error {
	return s.inside(r, true, func(root *os.Root, p place) error {
		_, args, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || args["boundary"] == "" {
			return fail("upload_missing_file", "Files must be sent as multipart/form-data")
		}
		parts := multipart.NewReader(s.incoming(w, r.Request, s.MaxUpload), args["boundary"])
		for {
			part, err := parts.NextPart()
			if errors.Is(err, io.EOF) {
				return ok(w, nil)
			}
			if err != nil {
				return readError(err)
			}
			if part.FileName() == "" {
				continue
			}
			if err := writeInto(root, path.Join(p.name, path.Base(part.FileName())), part, time.Time{}); err != nil {
				return err
			}
		}
	})
}

func (s *server) deleteResource(w http.ResponseWriter, r *request) error {
	return s.inside(r, true, func(root *os.Root, p place) error {
		if p.name == "." {
			return badParameter("The folder of a deployment goes with the deployment")
		}
		if err := root.RemoveAll(p.name); err != nil {
			return err
		}
		return done(w)
	})
}
