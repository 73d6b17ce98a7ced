package manager

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"time"

	"windlass/internal/access"
	"windlass/internal/blueprint"
	"windlass/internal/blueprint/imports"
	"windlass/internal/catalog"
	"windlass/internal/store"
)

// secrets opens secrets as text, for operations and functions.
type secrets struct {
	store  store.Store
	access *access.Service
}

func (s secrets) OpenSecret(ctx context.Context, tenant, key string) (string, error) {
	sec, err := s.store.GetSecret(ctx, tenant, key)
	if err != nil {
		return "", err
	}
	return s.access.SecretText(sec)
}

const suffixAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

// instanceSuffix is the random end of a node instance's id.
func instanceSuffix() string {
	b := make([]byte, 6)
	for i := range b {
		for {
			var one [1]byte
			_, _ = rand.Read(one[:])       // never fails, see crypto/rand
			if n := int(one[0]); n < 252 { // 7 x 36: no character is likelier
				b[i] = suffixAlphabet[n%36]
				break
			}
		}
	}
	return string(b)
}

// parseOptions reads blueprints of strangers: no file outside their own folder
// and no server of this machine's network unless private addresses are allowed, but blueprints of the same tenant.
// What rules lead to may be anywhere.
func parseOptions(library *catalog.Library, c Config) blueprint.Options {
	web := imports.New(imports.Config{Web: &imports.Web{AllowPrivate: c.AllowPrivate}})
	rules := c.ImportRules
	rules.Direct = imports.New(imports.Config{Web: &imports.Web{AllowPrivate: true}})
	return blueprint.Options{
		Confine: true, Resolver: catalog.NewResolver(web, library), Rules: rules, NoVersionCheck: c.NoVersionCheck,
	}
}

// fetchTime bounds the fetching of an archive.
const fetchTime = 5 * time.Minute

// fetcher opens archives by their URLs, as guarded as imports are.
func fetcher(private bool) func(ctx context.Context, url string) (io.ReadCloser, error) {
	return func(ctx context.Context, url string) (io.ReadCloser, error) { return fetchArchive(ctx, url, private) }
}

func fetchArchive(ctx context.Context, url string, private bool) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch the archive: %w", err)
	}
	res, err := (&imports.Web{AllowPrivate: private, Timeout: fetchTime}).Client().Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch the archive: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		return nil, fmt.Errorf("fetch %s: the server answered %s", url, res.Status)
	}
	return res.Body, nil
}
