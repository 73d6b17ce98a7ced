package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"windlass/internal/blueprint/yaml"
)

// Web reads imports from web servers. Blueprints come from anybody, so by
// default it does not go to addresses of the machine's own networks.
type Web struct {
	AllowPrivate bool          // also loopback, private and link-local addresses
	Timeout      time.Duration // of one attempt; 0 means 10 s
	Total        time.Duration // of all attempts for one import; 0 means 60 s
	Attempts     int           // 0 means 6
	Pause        time.Duration // between attempts; 0 means 1 s
	MaxBytes     int64         // of one document; 0 means what a document may have
	Redirects    int           // followed; 0 means 5, negative none

	// Transport replaces the guarded one, for proxies and tests. nil: guarded.
	Transport http.RoundTripper
}

func orElse[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// errRefused marks addresses that are not gone to. It is not tried again.
var errRefused = errors.New("address refused")

// fetch reads a document. What may pass by itself is tried again: connections
// that fail, time-outs, and answers that blame the server.
func (w *Web) fetch(ctx context.Context, url string) (*Document, error) {
	ctx, cancel := context.WithTimeout(ctx, orElse(w.Total, time.Minute))
	defer cancel()
	client := w.client()
	defer client.CloseIdleConnections()
	attempts := orElse(w.Attempts, 6)
	for attempt := 1; ; attempt++ {
		d, again, err := w.once(ctx, client, url)
		if err == nil || !again || attempt >= attempts || ctx.Err() != nil {
			return d, err
		}
		pause := time.NewTimer(orElse(w.Pause, time.Second))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, err
		}
	}
}

func (w *Web) once(ctx context.Context, client *http.Client, url string) (d *Document, again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, false, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, !errors.Is(err, errRefused) && !errors.Is(err, errRedirects), err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, response.StatusCode >= 500, fmt.Errorf("status code: %d", response.StatusCode)
	}
	limit := orElse(w.MaxBytes, yaml.MaxBytes)
	text, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, true, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(text)) > limit {
		return nil, false, fmt.Errorf("the document is longer than %d bytes", limit)
	}
	return &Document{Text: text, Location: url}, false, nil
}

// Exists tells whether a web server has something under the URL.
func (w *Web) Exists(ctx context.Context, url string) bool {
	client := w.client()
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode >= 200 && response.StatusCode <= 299
}

var errRedirects = errors.New("too many redirects")

// Client is an HTTP client with the same guards, for fetching other things
// that are named by strangers. Timeout bounds a whole exchange.
func (w *Web) Client() *http.Client { return w.client() }

func (w *Web) client() *http.Client {
	transport := w.Transport
	if transport == nil {
		transport = w.guarded()
	}
	most := orElse(w.Redirects, 5)
	return &http.Client{
		Transport: transport,
		Timeout:   orElse(w.Timeout, 10*time.Second),
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			if len(via) > most {
				return errRedirects
			}
			if to.URL.Scheme != "http" && to.URL.Scheme != "https" {
				return fmt.Errorf("redirect to %s: %w", to.URL.Scheme, errRefused)
			}
			return nil
		},
	}
}

// guarded looks at the address that is really dialled, after names were looked
// up, so that no name and no redirect leads inside.
func (w *Web) guarded() *http.Transport {
	dialer := &net.Dialer{Timeout: orElse(w.Timeout, 10*time.Second)}
	if !w.AllowPrivate {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || !isPublic(to.Addr()) {
				return fmt.Errorf("%s is not a public address: %w", address, errRefused)
			}
			return nil
		}
	}
	proxy := http.ProxyFromEnvironment
	if !w.AllowPrivate {
		proxy = nil // a proxy would look up names by itself
	}
	return &http.Transport{
		Proxy: proxy, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: orElse(w.Timeout, 10*time.Second),
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// isPublic tells whether an address belongs to the open internet.
func isPublic(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, special := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
	} {
		if netip.MustParsePrefix(special).Contains(a) {
			return false
		}
	}
	return true
}
