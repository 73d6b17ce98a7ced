// Package builtin holds what every blueprint may rely on without a network:
// the built-in types and the files that they name.
package builtin

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed types/*.yaml
var types embed.FS

//go:embed all:resources
var resources embed.FS

// TypesImport is how blueprints import the built-in types by a relative name.
const TypesImport = "cloudify/types/types.yaml"

// Scheme begins the names under which bundled types appear in places and
// import chains.
const Scheme = "builtin:"

// Types returns the built-in types for a version of the language, such as
// 1_4, and the name of that variant. The version need not be a known one.
func Types(dslVersion string) (name string, text []byte) {
	file := "types.yaml"
	switch dslVersion {
	case "1_4":
		file = "types_1_4.yaml"
	case "1_0", "1_1", "1_2", "1_3":
		file = "types_1_3.yaml"
	}
	return Scheme + "cloudify/types/" + file, read(file)
}

func read(file string) []byte {
	text, err := types.ReadFile("types/" + file)
	if err != nil {
		return nil // embedded: cannot happen, and a test reads each of them
	}
	return text
}

// IsTypes tells whether an import names the built-in types: by their relative
// name, or by one of the addresses that they were published under.
func IsTypes(url string) bool {
	if url == TypesImport || url == "resource:"+TypesImport || url == Scheme+TypesImport {
		return true
	}
	rest, ok := strings.CutPrefix(url, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(url, "http://"); !ok {
			return false
		}
	}
	host, path, _ := strings.Cut(rest, "/")
	switch strings.ToLower(host) {
	case "www.getcloudify.org", "getcloudify.org", "cloudify.co", "www.cloudify.co":
	default:
		return false
	}
	version, file, ok := strings.Cut(strings.TrimPrefix(path, "spec/cloudify/"), "/")
	return ok && strings.HasPrefix(path, "spec/cloudify/") && version != "" && file == "types.yaml"
}

// Resources holds the files that the built-in types name, such as
// cloudify/fs/mkfs.sh. A manager offers them where it has no file of its own
// of that name.
func Resources() fs.FS {
	sub, err := fs.Sub(resources, "resources")
	if err != nil {
		return resources // the folder is embedded: cannot happen
	}
	return sub
}
