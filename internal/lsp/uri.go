package lsp

import (
	"net/url"
	"path/filepath"
	"strings"
)

// pathOf is the path of a file: URI, "" for any other.
func pathOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" || u.Path == "" {
		return ""
	}
	p := filepath.FromSlash(u.Path)
	if len(p) > 2 && p[0] == filepath.Separator && p[2] == ':' && filepath.Separator == '\\' {
		p = p[1:] // a drive
	}
	return filepath.Clean(p)
}

// uriOf is the URI of a path or of a URL as documents are known by.
func uriOf(location string) string {
	if rest, ok := strings.CutPrefix(location, "file:"); ok {
		location = "/" + strings.TrimLeft(rest, "/")
	} else if scheme, _, found := strings.Cut(location, ":"); found && len(scheme) > 1 {
		return location
	}
	p := filepath.ToSlash(location)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return (&url.URL{Scheme: "file", Path: p}).String()
}

// sameURI is the one spelling under which a document is kept: editors escape
// more or less.
func sameURI(uri string) string {
	if p := pathOf(uri); p != "" {
		return uriOf(p)
	}
	return uri
}
