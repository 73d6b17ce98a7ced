package snapshot

import (
	"encoding/hex"
	"io/fs"
	"strings"
	"time"

	"windlass/internal/store"
)

// An archive is a zip file with these entries:
//
//	tables/<name>.jsonl   a table: one row a line, a JSON array of its cells
//	blobs/<sha256>        a stored file, such as the archive of a blueprint
//	files/<folder>/...    the files of deployments, and those that they share
//	manifest.json         what there is, with sizes and checksums; the last one
//	keys.txt              the master keys that open its secrets, if they were
//	                      asked for. It is only in archives that are outside of
//	                      a manager, and no part of the manifest
//
// Cells are null, texts, whole numbers, booleans, and bytes in base64. Times are
// microseconds since 1970. Which cells a row has stands in the manifest, so
// that an archive of an older version, which knew fewer columns, can be read:
// the others get their defaults. Whoever changes what a column or an entry means
// gives the format a new version.
const (
	formatName    = "windlass snapshot"
	formatVersion = 1

	manifestName = "manifest.json"
	keysName     = "keys.txt"
	tablesPrefix = "tables/"
	tablesSuffix = ".jsonl"
	blobsPrefix  = "blobs/"
	filesPrefix  = "files/"
)

// Bounds of what is read from archives.
const (
	maxManifest = 256 << 20
	maxKeys     = 64 << 10
	maxRow      = 256 << 20
)

// Manifest tells what is in an archive.
type Manifest struct {
	Format  string           `json:"format"`
	Version int              `json:"version"`
	MadeBy  string           `json:"made_by"` // version of the program
	MadeAt  time.Time        `json:"made_at"`
	Maker   string           `json:"execution"` // the execution that made it
	Events  bool             `json:"with_events"`
	Logs    bool             `json:"with_logs"`
	Tables  []TableEntry     `json:"tables"`
	Entries map[string]Entry `json:"entries"`
}

// TableEntry is a table in an archive.
type TableEntry struct {
	Name    string         `json:"name"`
	Columns []ColumnEntry  `json:"columns"`
	Rows    int64          `json:"rows"`
	known   store.Table    // as this version has it
	places  map[string]int // of the columns in a row
}

// ColumnEntry is a column of it.
type ColumnEntry struct {
	Name string         `json:"name"`
	Kind store.CellKind `json:"kind"`
}

// Entry is a file in an archive.
type Entry struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Mode   uint32 `json:"mode,omitempty"` // of a file: its permissions
	Link   bool   `json:"link,omitempty"` // the content is where a link points to
}

func (t *TableEntry) names() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

func tableFile(name string) string { return tablesPrefix + name + tablesSuffix }

// isHash tells whether s can be the name of a blob.
func isHash(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == 32 && s == strings.ToLower(s)
}

// isEntryName tells whether an archive may have an entry of the name.
func isEntryName(name string) bool {
	if rest, ok := strings.CutPrefix(name, blobsPrefix); ok {
		return isHash(rest)
	}
	if rest, ok := strings.CutPrefix(name, filesPrefix); ok {
		folder, file, below := strings.Cut(rest, "/")
		return below && folder != "" && file != "." && fs.ValidPath(rest) && !strings.ContainsAny(rest, "\\\x00")
	}
	rest, ok := strings.CutPrefix(name, tablesPrefix)
	rest, ends := strings.CutSuffix(rest, tablesSuffix)
	return ok && ends && rest != "" && !strings.Contains(rest, "/")
}
