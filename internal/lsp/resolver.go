package lsp

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"windlass/internal/blueprint/imports"
)

// How long documents of others are kept, and failures to get them.
const (
	keepDocument = 10 * time.Minute
	keepFailure  = 30 * time.Second
)

// remembering is a resolver that keeps what it got from elsewhere, so that a
// server is not asked at every key stroke. Files are always read anew.
type remembering struct {
	imports.Resolver
	now func() time.Time

	mu    sync.Mutex
	known map[[2]string]remembered
}

type remembered struct {
	document *imports.Document
	err      error
	until    time.Time
}

func isLocal(url string) bool {
	return strings.HasPrefix(url, "file:") || strings.HasPrefix(url, "resource:")
}

func (r *remembering) Fetch(ctx context.Context, url, version string) (*imports.Document, error) {
	if isLocal(url) {
		return r.Resolver.Fetch(ctx, url, version)
	}
	if d, ok := r.recall(url, version); ok {
		return d.document, d.err
	}
	document, err := r.Resolver.Fetch(ctx, url, version)
	if ctx.Err() != nil {
		return document, err
	}
	keep := keepDocument
	if err != nil {
		keep = keepFailure
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[[2]string{url, version}] = remembered{document: document, err: err, until: r.now().Add(keep)}
	return document, err
}

func (r *remembering) recall(url, version string) (remembered, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.known[[2]string{url, version}]
	return d, ok && r.now().Before(d.until)
}

var errNotYet = errors.New("not fetched yet")

// overlay reads the texts of the editor in place of the files, and notes what
// was read.
type overlay struct {
	*remembering
	texts  map[string]string // by path
	used   map[string]bool   // paths of files that were asked for
	nowait bool              // leave out what would have to be fetched
}

func (o overlay) Fetch(ctx context.Context, url, version string) (*imports.Document, error) {
	if p := pathOf(uriOf(url)); strings.HasPrefix(url, "file:") && p != "" {
		o.used[p] = true
		if text, open := o.texts[p]; open {
			return &imports.Document{Text: []byte(text), Location: "file:" + p}, nil
		}
	}
	if o.nowait && !isLocal(url) {
		if d, ok := o.recall(url, version); ok {
			return d.document, d.err
		}
		return nil, errNotYet
	}
	return o.remembering.Fetch(ctx, url, version)
}
