package blueprint

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"windlass/internal/blueprint/imports"
)

// scripts looks for the scripts that implementations name.
type scripts struct {
	folders []string // paths or URLs
	confine imports.Folders
	web     *imports.Web
}

func (o Options) scripts(folder string) scripts {
	s := scripts{confine: nil, web: &imports.Web{}}
	if o.Confine {
		s.confine = o.confine(filepathOf(folder) + "/blueprint.yaml")
	}
	for _, f := range append([]string{folder}, o.AdditionalResources...) {
		if f != "" {
			s.folders = append(s.folders, strings.TrimSuffix(f, "/"))
		}
	}
	return s
}

// exists tells whether one of the folders has the script.
func (s scripts) exists(ctx context.Context, script string) bool {
	for _, folder := range s.folders {
		if strings.HasPrefix(folder, "http://") || strings.HasPrefix(folder, "https://") {
			if !strings.ContainsAny(script, " \n") && looksLikeFile(script) && s.web.Exists(ctx, folder+"/"+escaped(script)) {
				return true
			}
			continue
		}
		p := filepath.Join(filepathOf(folder), filepath.FromSlash(script))
		info, err := os.Stat(p)
		if err == nil && info.Mode().IsRegular() && (s.confine == nil || s.confine.Hold(p)) {
			return true
		}
	}
	return false
}

// looksLikeFile spares a server the questions about plugin functions.
func looksLikeFile(script string) bool {
	return strings.Contains(script, "/") || strings.Count(script, ".") == 1
}

func escaped(script string) string {
	return (&url.URL{Path: script}).EscapedPath()
}
