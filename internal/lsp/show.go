package lsp

import (
	"os"
	"path/filepath"
	"strings"

	"windlass/internal/blueprint/builtin"
)

// locationOf is a place in a document, line and column counted from 1 and in
// characters. nil for a document that the editor cannot show.
func (s *server) locationOf(document string, line, column int, word string) *location {
	uri := uriOf(document)
	if strings.HasPrefix(document, builtin.Scheme) {
		file, ok := s.copyOf(document)
		if !ok {
			return nil
		}
		uri = uriOf(file)
	}
	path := pathOf(uri)
	if path == "" {
		if strings.HasPrefix(uri, "http") {
			return &location{URI: uri, Range: span{Start: position{Line: line - 1}, End: position{Line: line - 1}}}
		}
		if b := s.buffers[uri]; b == nil {
			return nil
		}
	}
	var content string
	if b := s.buffers[uri]; b != nil {
		uri, content = b.uri, b.line(line-1)
	} else if text, err := os.ReadFile(path); err == nil {
		content = lineOf(string(text), line-1)
	} else {
		return nil
	}
	start := runeColumn(content, column)
	end := start
	if rest := content[start:]; strings.HasPrefix(rest, word) {
		end = start + len(word)
	}
	return &location{URI: uri, Range: span{
		Start: position{Line: line - 1, Character: character(content, start, s.encoding)},
		End:   position{Line: line - 1, Character: character(content, end, s.encoding)},
	}}
}

// copyOf puts a bundled document where an editor can read it.
func (s *server) copyOf(document string) (path string, ok bool) {
	if s.opts.Bundled == "" {
		return "", false
	}
	for _, version := range []string{"1_5", "1_4", "1_3"} {
		name, text := builtin.Types(version)
		if name != document {
			continue
		}
		path = filepath.Join(s.opts.Bundled, filepath.FromSlash(strings.TrimPrefix(name, builtin.Scheme)))
		if before, err := os.ReadFile(path); err == nil && string(before) == string(text) {
			return path, true
		}
		if os.MkdirAll(filepath.Dir(path), 0o755) != nil {
			return "", false
		}
		return path, os.WriteFile(path, text, 0o644) == nil
	}
	return "", false
}
