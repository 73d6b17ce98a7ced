package lsp

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/yaml"
)

// server is the state of one connection. Only run touches it, but for what has
// its own lock.
type server struct {
	opts   Options
	out    *writer
	calls  *pending
	remote *remembering

	isInitialized bool
	isShutdown    bool
	encoding      encoding
	snippets      bool
	watches       bool // the client tells of files that change, if it is asked to

	buffers map[string]*buffer   // by URI
	stamp   int                  // counts changes of any buffer
	surveys map[string]*surveyed // by URI

	timer   *time.Timer
	job     *job               // the check that is under way; nil if none is
	stale   map[string]bool    // URIs that have to be checked
	checked map[string]checked // by URI of the document that was checked
	sent    map[string]string  // by URI: the diagnostics that the client has
}

// surveyed is what is known of a document for requests.
type surveyed struct {
	stamp   int
	isFresh bool       // it is about the text as it is now
	root    *yaml.Node // of the last text that was YAML; nil if none was
	imports map[string]string
}

func (s *server) request(ctx context.Context, m message) (result any, bad *failure) {
	defer func() {
		// One slip must not end the editor's session.
		if r := recover(); r != nil {
			result, bad = nil, &failure{Code: codeInternal, Message: fmt.Sprintf("%s: %v", m.Method, r)}
		}
	}()
	switch {
	case m.Method == "initialize" && s.isInitialized:
		return nil, &failure{Code: codeInvalidRequest, Message: "initialize was called before"}
	case m.Method == "initialize":
		return s.initialize(m.Params)
	case !s.isInitialized:
		return nil, &failure{Code: codeNotInitialized, Message: "the first request must be initialize"}
	case s.isShutdown:
		return nil, &failure{Code: codeInvalidRequest, Message: "the server was shut down"}
	case m.Method == "shutdown":
		s.isShutdown = true
		return nil, nil
	}
	switch m.Method {
	case "textDocument/completion":
		return atPosition(s, ctx, m.Params, s.completion)
	case "textDocument/hover":
		return atPosition(s, ctx, m.Params, s.hover)
	case "textDocument/definition":
		return atPosition(s, ctx, m.Params, s.definition)
	}
	return nil, &failure{Code: codeNoMethod, Message: "unknown method " + m.Method}
}

func (s *server) initialize(params json.RawMessage) (any, *failure) {
	var p initializeParams
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, &failure{Code: codeInvalidParams, Message: err.Error()}
	}
	s.isInitialized = true
	s.snippets = p.Capabilities.TextDocument.Completion.CompletionItem.SnippetSupport
	s.watches = p.Capabilities.Workspace.WatchedFiles.DynamicRegistration
	name := "utf-16"
	if slices.Contains(p.Capabilities.General.PositionEncodings, "utf-8") {
		s.encoding, name = utf8Units, "utf-8"
	}
	return map[string]any{
		"capabilities": map[string]any{
			"positionEncoding":   name,
			"textDocumentSync":   map[string]any{"openClose": true, "change": 2, "save": map[string]any{"includeText": false}},
			"completionProvider": map[string]any{"triggerCharacters": []string{" ", ":", "[", "{", ",", "."}},
			"hoverProvider":      true,
			"definitionProvider": true,
		},
		"serverInfo": map[string]any{"name": "windlass", "version": s.opts.Version},
	}, nil
}

// notify handles a notification. Unknown ones and those with bad parameters
// are ignored, as there is nobody to tell.
func (s *server) notify(m message) error {
	if !s.isInitialized || s.isShutdown {
		return nil
	}
	switch m.Method {
	case "initialized":
		return s.watch()
	case "textDocument/didOpen":
		var p didOpenParams
		if json.Unmarshal(m.Params, &p) == nil {
			uri := sameURI(p.Document.URI)
			s.buffers[uri] = newBuffer(p.Document.URI, p.Document.Version, p.Document.Text)
			s.changed(uri)
		}
	case "textDocument/didChange":
		var p didChangeParams
		if json.Unmarshal(m.Params, &p) != nil {
			return nil
		}
		uri := sameURI(p.Document.URI)
		b := s.buffers[uri]
		if b == nil {
			return nil
		}
		version := b.version + 1
		if p.Document.Version != nil {
			version = *p.Document.Version
		}
		if err := b.apply(version, p.Changes, s.encoding); err != nil {
			return s.tell("window/logMessage", map[string]any{"type": 1, "message": err.Error()})
		}
		s.changed(uri)
	case "textDocument/didSave":
		var p didSaveParams
		if json.Unmarshal(m.Params, &p) != nil {
			return nil
		}
		uri := sameURI(p.Document.URI)
		if b := s.buffers[uri]; b != nil && p.Text != nil {
			b.set(b.version, *p.Text)
		}
		s.changed(uri)
	case "textDocument/didClose":
		var p documentParams
		if json.Unmarshal(m.Params, &p) == nil {
			uri := sameURI(p.Document.URI)
			delete(s.buffers, uri)
			delete(s.surveys, uri)
			s.changed(uri)
		}
	case "workspace/didChangeWatchedFiles":
		for uri := range s.buffers {
			s.changed(uri)
		}
		for uri := range s.checked {
			s.changed(uri)
		}
	}
	return nil
}

// watch asks the client to tell when documents change outside of the editor.
// Its answer makes no difference.
func (s *server) watch() error {
	if !s.watches {
		return nil
	}
	params, err := json.Marshal(map[string]any{"registrations": []any{map[string]any{
		"id": "documents", "method": "workspace/didChangeWatchedFiles",
		"registerOptions": map[string]any{"watchers": []any{map[string]any{"globPattern": "**/*.{yaml,yml}"}}},
	}}})
	if err != nil {
		return fmt.Errorf("encode registration: %w", err)
	}
	return s.send(message{Version: "2.0", ID: json.RawMessage(`"watch"`), Method: "client/registerCapability", Params: params})
}

// texts are the open documents that are files, by path.
func (s *server) texts() map[string]string {
	texts := map[string]string{}
	for _, b := range s.buffers {
		if b.path != "" {
			texts[b.path] = b.text
		}
	}
	return texts
}

// atPosition decodes the parameters of a request about a position.
func atPosition[T any](
	s *server, ctx context.Context, params json.RawMessage, handle func(ctx context.Context, b *buffer, line, column int) T,
) (any, *failure) {
	var p positionParams
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, &failure{Code: codeInvalidParams, Message: err.Error()}
	}
	b := s.buffers[sameURI(p.Document.URI)]
	if b == nil {
		return nil, &failure{Code: codeInvalidParams, Message: p.Document.URI + " is not open"}
	}
	line := max(0, min(p.Position.Line, len(b.starts)-1))
	at := column(b.line(line), p.Position.Character, s.encoding)
	return handle(ctx, b, line, at), nil
}

// modelOf is what is known for requests about a document, as of its present
// text where that is YAML, with what is known of documents that import it.
func (s *server) modelOf(ctx context.Context, b *buffer, tree *node) *model {
	uri := sameURI(b.uri)
	own := s.survey(ctx, uri, b)
	m := &model{imports: own.imports}
	if !own.isFresh {
		m.layers = append(m.layers, tree.yaml(&yaml.File{Name: b.path}))
	}
	if own.root != nil {
		m.layers = append(m.layers, own.root)
	}
	for _, importer := range s.importers(b.path) {
		if importer == uri {
			continue
		}
		if found := s.survey(ctx, importer, s.bufferOf(importer)); found.root != nil {
			m.layers = append(m.layers, found.root)
		}
	}
	return m
}

// bufferOf is an open document, or a file as if it were one. A file that is gone
// is empty.
func (s *server) bufferOf(uri string) *buffer {
	if b := s.buffers[uri]; b != nil {
		return b
	}
	text, err := os.ReadFile(pathOf(uri))
	if err != nil {
		text = nil
	}
	return newBuffer(uri, 0, string(text))
}

func (s *server) survey(ctx context.Context, uri string, b *buffer) *surveyed {
	known := s.surveys[uri]
	if known != nil && known.stamp == s.stamp {
		return known
	}
	if known == nil {
		known = &surveyed{}
		s.surveys[uri] = known
	}
	known.stamp = s.stamp
	opts := s.opts.Blueprint
	opts.Resolver = overlay{remembering: s.remote, texts: s.texts(), used: map[string]bool{}, nowait: true}
	found := blueprint.Look(ctx, blueprint.Source{Path: b.path, Text: []byte(b.text + "\n")}, opts)
	if ctx.Err() != nil {
		known.stamp = -1
		return known
	}
	known.isFresh = found.Root != nil
	if known.isFresh {
		known.root, known.imports = found.Root, map[string]string{}
		for _, read := range found.Read {
			if read.Line != nil && len(read.Line.File.Imports) == 1 {
				known.imports[written(read.Line)] = read.Location
			}
		}
	}
	return known
}

// written is the text of an import with or without properties.
func written(line *yaml.Node) string {
	if text, ok := line.Text(); ok {
		return text
	}
	for _, p := range line.Pairs {
		text, _ := p.Name()
		return text
	}
	return ""
}

// completion answers textDocument/completion.
func (s *server) completion(ctx context.Context, b *buffer, line, at int) completionList {
	_, c := readLoosely(b.text[:b.starts[line]+at])
	if c.role == nowhere {
		return completionList{Items: []completionItem{}}
	}
	tree, _ := readLoosely(b.text)
	proposals := complete(c, tree, s.modelOf(ctx, b, tree), folderOf(b.path))
	return completionList{Items: s.items(proposals, c, b, line, at)}
}

func folderOf(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Dir(path)
}

// items makes proposals edits of the word at the cursor.
func (s *server) items(proposals []proposal, c cursor, b *buffer, line, at int) []completionItem {
	text := b.line(line)
	start, end := at, at
	if c.word.line == line && c.word.start <= at {
		start = c.word.start
	}
	for end < len(text) && strings.IndexByte(" \t,]}:#", text[end]) < 0 {
		end++
	}
	hasColon := strings.HasPrefix(strings.TrimLeft(text[end:], " "), ":")
	before := ""
	if start > 0 && text[start-1] == ':' {
		before = " "
	}
	edit := span{
		Start: position{Line: line, Character: character(text, start, s.encoding)},
		End:   position{Line: line, Character: character(text, end, s.encoding)},
	}
	items := make([]completionItem, len(proposals))
	for i, p := range proposals {
		insert := p.text
		if insert == "" || hasColon && strings.HasPrefix(insert, p.label+":") {
			insert = p.label
		}
		items[i] = completionItem{
			Label: p.label, Kind: p.kind, Detail: p.detail, SortText: fmt.Sprintf("%04d", i), FilterText: p.label,
		}
		if p.doc != "" {
			items[i].Documentation = markdown(p.doc)
		}
		if strings.Contains(insert, "$0") && s.snippets {
			items[i].Format = formatSnippet
		} else {
			insert = strings.ReplaceAll(insert, "$0", "")
		}
		items[i].Edit = &textEdit{Range: edit, Text: before + insert}
	}
	return items
}

// hover answers textDocument/hover; null where there is nothing to say.
func (s *server) hover(ctx context.Context, b *buffer, line, at int) *hover {
	found, ok := s.subject(ctx, b, line, at)
	if !ok || found.text == "" {
		return nil
	}
	text := b.line(line)
	return &hover{Contents: *markdown(found.text), Range: &span{
		Start: position{Line: line, Character: character(text, found.token.start, s.encoding)},
		End:   position{Line: line, Character: character(text, found.token.end, s.encoding)},
	}}
}

func (s *server) subject(ctx context.Context, b *buffer, line, at int) (subject, bool) {
	tree, _ := readLoosely(b.text)
	var folders []string
	if b.path != "" {
		folders = append(folders, folderOf(b.path))
	}
	for _, importer := range s.importers(b.path) {
		if p := pathOf(importer); p != "" {
			folders = append(folders, folderOf(p))
		}
	}
	return about(tree, s.modelOf(ctx, b, tree), line, at, folders)
}

// definition answers textDocument/definition; null where nothing is defined.
func (s *server) definition(ctx context.Context, b *buffer, line, at int) *location {
	found, ok := s.subject(ctx, b, line, at)
	switch {
	case !ok:
		return nil
	case found.file != "":
		return s.locationOf(found.file, 1, 1, "")
	case found.key != nil && found.key.File != nil && found.key.Line > 0:
		name, _ := found.key.Value.(string)
		file := found.key.File.Name
		if len(found.key.File.Imports) <= 1 {
			file = cmp.Or(file, b.path)
		}
		return s.locationOf(file, found.key.Line, found.key.Column, name)
	}
	return nil
}
