package lsp

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// checked is what a check of a document found.
type checked struct {
	isPart   bool // it names no version, as documents do that are imported
	problems problem.List
	used     map[string]bool   // paths of the files that it imports
	texts    map[string]string // of the files that problems are in, by path
}

// job is a check that is under way.
type job struct {
	cancel context.CancelFunc
	done   chan findings
}

// findings are the results of a job.
type findings struct {
	found       map[string]checked // by URI; with blueprints that were found to import a part
	stamps      map[string]int     // version of each open document that was to be checked
	isCancelled bool               // not all was checked
	failed      string             // what went wrong in the program
}

// results is where the job that is under way delivers; nil if there is none.
func (s *server) results() <-chan findings {
	if s.job == nil {
		return nil
	}
	return s.job.done
}

// changed notes that a document changed, was opened or closed. A check that is
// under way has become useless.
func (s *server) changed(uri string) {
	s.stamp++
	if s.stale == nil {
		s.stale = map[string]bool{}
	}
	s.stale[uri] = true
	for other, c := range s.checked {
		if c.used[pathOf(uri)] {
			s.stale[other] = true
		}
	}
	if s.job != nil {
		s.job.cancel()
	}
	s.timer.Reset(s.opts.Delay)
}

// startChecking checks what has to be checked, as soon as the job before is
// over.
func (s *server) startChecking(ctx context.Context) {
	if s.job != nil {
		return // finishChecking comes back to it
	}
	ctx, cancel := context.WithCancel(ctx)
	s.job = &job{cancel: cancel, done: make(chan findings, 1)}
	todo, stamps := map[string]blueprint.Source{}, map[string]int{}
	for uri := range s.stale {
		if b := s.buffers[uri]; b != nil {
			todo[uri] = blueprint.Source{Path: b.path, Text: []byte(b.text)}
			stamps[uri] = b.version
		} else if _, known := s.checked[uri]; known {
			todo[uri] = blueprint.Source{Path: pathOf(uri)}
		}
	}
	texts, done := s.texts(), s.job.done
	go func() {
		done <- s.check(ctx, todo, stamps, texts)
	}()
}

// stopChecking waits for the end of the job that is under way.
func (s *server) stopChecking() {
	if s.job != nil {
		s.job.cancel()
		<-s.job.done
		s.job = nil
	}
}

// check runs in a goroutine of its own; it reads nothing of the server that
// changes.
func (s *server) check(
	ctx context.Context, todo map[string]blueprint.Source, stamps map[string]int, texts map[string]string,
) (result findings) {
	result = findings{found: map[string]checked{}, stamps: stamps}
	defer func() {
		if r := recover(); r != nil { // one slip must not end the editor's session
			result.failed = fmt.Sprint(r)
		}
	}()
	for _, uri := range value.SortedKeys(todo) {
		c := s.checkOne(ctx, todo[uri], texts)
		if ctx.Err() != nil {
			break // what an interrupted check says is not true
		}
		result.found[uri] = c
		if c.isPart {
			s.checkMains(ctx, todo[uri].Path, texts, result.found)
		}
	}
	result.isCancelled = ctx.Err() != nil
	return result
}

// checkMains checks the blueprints near a part that import it.
func (s *server) checkMains(ctx context.Context, part string, texts map[string]string, found map[string]checked) {
	for _, main := range mainsNear(part, texts) {
		uri := uriOf(main)
		if _, done := found[uri]; done || ctx.Err() != nil {
			continue
		}
		if c := s.checkOne(ctx, blueprint.Source{Path: main}, texts); c.used[part] && ctx.Err() == nil {
			found[uri] = c
		}
	}
}

func (s *server) checkOne(ctx context.Context, source blueprint.Source, texts map[string]string) checked {
	c := checked{used: map[string]bool{}, texts: map[string]string{}}
	opts := s.opts.Blueprint
	opts.Resolver = overlay{remembering: s.remote, texts: texts, used: c.used}
	text := source.Text
	if text == nil {
		var err error
		if text, err = os.ReadFile(source.Path); err != nil {
			return c // it is gone
		}
	}
	source.Text = text
	if len(text) == 0 {
		source.Text = []byte("\n")
	}
	tree, _ := readLoosely(string(text))
	c.isPart = tree.get("tosca_definitions_version") == nil
	if !c.isPart {
		_, warnings, err := blueprint.Parse(ctx, source, opts)
		c.problems = append(problem.All(err), warnings...)
		if err != nil && problem.All(err) == nil && ctx.Err() == nil {
			c.problems = append(c.problems, problem.New(problem.Runtime, "%v", err))
		}
	} else {
		c.problems = blueprint.Look(ctx, source, opts).Problems
	}
	for _, p := range c.problems {
		file := pathOf(uriOf(p.Place.File))
		if _, known := c.texts[file]; known || file == "" {
			continue
		}
		if text, open := texts[file]; open {
			c.texts[file] = text
		} else if text, err := os.ReadFile(file); err == nil {
			c.texts[file] = string(text)
		}
	}
	return c
}

// finishChecking shows what a job found, if it is still true.
func (s *server) finishChecking(f findings) error {
	wasCancelled := f.isCancelled
	s.job.cancel()
	s.job = nil
	if f.failed != "" {
		s.stale = nil
		return s.tell("window/logMessage", map[string]any{"type": 1, "message": "check: " + f.failed})
	}
	for uri, version := range f.stamps {
		b := s.buffers[uri]
		wasCancelled = wasCancelled || b != nil && b.version != version
	}
	if wasCancelled {
		s.timer.Reset(s.opts.Delay)
		return nil
	}
	for uri, c := range f.found {
		s.checked[uri] = c
		delete(s.stale, uri)
	}
	for uri, c := range s.checked {
		if s.buffers[uri] == nil && !s.isWanted(c) {
			delete(s.checked, uri)
		}
	}
	for uri := range s.stale {
		if _, known := s.checked[uri]; !known && s.buffers[uri] == nil {
			delete(s.stale, uri)
		}
	}
	if len(s.stale) > 0 {
		s.timer.Reset(s.opts.Delay)
	}
	return s.publish(f.stamps)
}

// isWanted tells whether a document that is not open imports one that is.
func (s *server) isWanted(c checked) bool {
	for _, b := range s.buffers {
		if c.used[b.path] {
			return true
		}
	}
	return false
}

// importers are the known documents that import a file, directly or not.
func (s *server) importers(path string) []string {
	var uris []string
	for _, uri := range value.SortedKeys(s.checked) {
		if path != "" && s.checked[uri].used[path] {
			uris = append(uris, uri)
		}
	}
	return uris
}

// publish tells the client what is wrong in each file, where it does not know
// yet. It is told of the documents that were checked in any case.
func (s *server) publish(fresh map[string]int) error {
	all := map[string][]diagnostic{}
	for uri := range s.sent {
		all[uri] = []diagnostic{}
	}
	for _, uri := range value.SortedKeys(s.checked) {
		if all[uri] == nil {
			all[uri] = []diagnostic{}
		}
		if s.isImported(uri) {
			continue
		}
		for _, p := range s.checked[uri].problems {
			at, d := s.diagnostic(uri, s.checked[uri], p)
			if !slices.ContainsFunc(all[at], func(o diagnostic) bool { return o.Range == d.Range && o.Message == d.Message }) {
				all[at] = append(all[at], d)
			}
		}
	}
	for _, uri := range value.SortedKeys(all) {
		params := publishParams{URI: uri, Diagnostics: all[uri]}
		if b := s.buffers[uri]; b != nil {
			version := b.version
			params.URI, params.Version = b.uri, &version
		}
		text, err := json.Marshal(params.Diagnostics)
		if err != nil {
			return fmt.Errorf("encode diagnostics: %w", err)
		}
		if _, isFresh := fresh[uri]; !isFresh && s.sent[uri] == string(text) {
			continue
		}
		s.sent[uri] = string(text)
		if len(all[uri]) == 0 && s.buffers[uri] == nil {
			delete(s.sent, uri)
		}
		if err := s.tell("textDocument/publishDiagnostics", params); err != nil {
			return err
		}
	}
	return nil
}

// isImported tells whether another known document imports this one, so that it
// is checked together with that.
func (s *server) isImported(uri string) bool {
	for _, importer := range s.importers(pathOf(uri)) {
		if importer != uri && !s.checked[uri].used[pathOf(importer)] {
			return true
		}
	}
	return false
}

// diagnostic shows a problem in the file that it is in; one in a document that
// is no file is shown where the checked document has its imports.
func (s *server) diagnostic(uri string, c checked, p *problem.Problem) (string, diagnostic) {
	d := diagnostic{Severity: severityError, Source: "windlass", Message: p.Message, Tags: tags(p)}
	if p.Warning {
		d.Severity = severityWarning
	}
	if p.Code != nil {
		d.Code = *p.Code
	} else if p.Kind != "" {
		d.Code = string(p.Kind)
	}
	if p.Hint != "" {
		d.Message += "\n" + p.Hint
	}
	path, line, at := pathOf(uriOf(p.Place.File)), p.Place.Line, p.Place.Column
	target := uri
	own := s.buffers[uri]
	switch {
	case len(p.Imports) <= 1 && own != nil:
		path = own.path
	case len(p.Imports) <= 1:
		path = pathOf(uri)
	case strings.Contains(p.Place.File, ":") && !strings.HasPrefix(p.Place.File, "file:") || path == "":
		d.Message = p.Place.String() + ": " + d.Message
		line, at = 1, 1
		if own != nil {
			if tree, _ := readLoosely(own.text); tree.get("imports") != nil {
				line, at = tree.get("imports").key.line+1, 1
			}
		}
	default:
		target = uriOf(path)
	}
	text := c.texts[path]
	if b := s.buffers[target]; b != nil {
		text = b.text
	}
	d.Range = s.rangeOf(text, line, at)
	return target, d
}

// rangeOf is the word at a place, counted from 1; the first line where the
// place is not known.
func (s *server) rangeOf(text string, line, at int) span {
	row := max(line, 1) - 1
	content := lineOf(text, row)
	start := runeColumn(content, max(at, 1))
	end := start
	if line > 0 && start < len(content) {
		if q := content[start]; q == '"' || q == '\'' {
			end = start + len(plainOrQuoted(content[start:]))
		} else {
			for end < len(content) && strings.IndexByte(" \t,]}{[#", content[end]) < 0 {
				end++
			}
			if end > start+1 && content[end-1] == ':' {
				end--
			}
			end = max(end, start+1)
		}
	}
	return span{
		Start: position{Line: row, Character: character(content, start, s.encoding)},
		End:   position{Line: row, Character: character(content, end, s.encoding)},
	}
}

func lineOf(text string, row int) string {
	for ; row > 0; row-- {
		_, rest, found := strings.Cut(text, "\n")
		if !found {
			return ""
		}
		text = rest
	}
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSuffix(line, "\r")
}

// tags are how editors show what a warning is about: faded, struck out.
func tags(p *problem.Problem) []int {
	switch p.Details["reason"] {
	case problem.Unused, problem.Shadowed:
		return []int{tagUnnecessary}
	case problem.Deprecated:
		return []int{tagDeprecated}
	}
	return nil
}
