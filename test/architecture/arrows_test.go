// Package architecture keeps the rooms apart: which package may import which,
// and what packages may not be called.
package architecture

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

const module = "windlass/"

// arrows lists, for each room, the rooms that its packages may import. Packages
// inside one room may import each other. Tests are free.
var arrows = map[string][]string{
	"internal/value":       {},
	"internal/blueprint":   {"internal/value"},
	"internal/topology":    {"internal/value", "internal/blueprint"},
	"internal/preparation": {"internal/value", "internal/blueprint", "internal/topology"},
	"internal/graph":       {"internal/value"},
	"internal/workflow":    {"internal/value", "internal/blueprint", "internal/topology", "internal/graph"},
	"internal/operation":   {"internal/value", "internal/blueprint", "internal/workflow", "internal/graph", "internal/topology", "python"},
	"internal/lsp":         {"internal/value", "internal/blueprint"},
	"internal/ctxcli":      {"internal/value"},
	"internal/plugin":      {"internal/value", "internal/blueprint", "internal/operation"},
	"internal/store":       {"internal/value", "internal/blueprint"},
	"internal/access":      {"internal/value", "internal/store"},
	"internal/approval":    {"internal/store", "internal/operation"},
	"internal/hook":        {"internal/value", "internal/blueprint", "internal/store", "internal/operation"},
	"internal/execution": {
		"internal/value", "internal/blueprint", "internal/topology", "internal/preparation", "internal/graph", "internal/workflow",
		"internal/operation", "internal/store",
	},
	"internal/catalog": {
		"internal/value", "internal/blueprint", "internal/topology", "internal/preparation", "internal/store",
		"internal/plugin", "internal/execution", "internal/access", "internal/operation",
	},
	"internal/snapshot": {"internal/value", "internal/store", "internal/execution"},
	"internal/rest": {
		"internal/value", "internal/blueprint", "internal/store", "internal/access", "internal/execution",
		"internal/catalog", "internal/approval", "internal/hook", "internal/snapshot",
	},
	"internal/manager": {
		"internal/value", "internal/blueprint", "internal/store", "internal/access", "internal/execution",
		"internal/catalog", "internal/plugin", "internal/snapshot", "internal/rest", "internal/operation", "internal/workflow", "internal/approval",
		"internal/hook",
	},
	"internal/cli": {
		"internal/value", "internal/blueprint", "internal/topology", "internal/preparation",
		"internal/manager", "internal/ctxcli", "internal/lsp", "internal/plugin", "python",
	},
	"python":             {},
	"sdk/plugin":         {},
	"examples/plugin-go": {"sdk/plugin"},
	"cmd/cfy":            {"internal/cli", "internal/ctxcli", "internal/manager"},
}

// pure rooms take no clock, no disk and no network.
var pure = map[string]bool{
	"internal/value": true, "internal/topology": true, "internal/preparation": true, "internal/graph": true,
	"internal/workflow": true, "internal/blueprint/plan": true, "internal/blueprint/problem": true,
	"internal/blueprint/schema": true, "internal/blueprint/functions": true, "internal/blueprint/yaml": true,
}

var impure = map[string]bool{
	"os": true, "net": true, "net/http": true, "os/exec": true, "database/sql": true, "math/rand": true,
	"math/rand/v2": true,
}

var drawers = map[string]bool{
	"util": true, "utils": true, "common": true, "helpers": true, "helper": true, "misc": true, "types": true, "models": true,
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	dec := json.NewDecoder(bufio.NewReader(strings.NewReader(string(out))))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// room is the entry of arrows that a package belongs to, "" if none.
func room(pkg string) string {
	for p := pkg; p != "."; p = path.Dir(p) {
		if _, ok := arrows[p]; ok {
			return p
		}
	}
	return ""
}

func TestImportArrows(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		pkg := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(pkg, "test/") {
			continue
		}
		from := room(pkg)
		if from == "" {
			t.Errorf("%s belongs to no room: give it one in arrows and in docs/architecture.md", pkg)
			continue
		}
		if drawers[path.Base(pkg)] {
			t.Errorf("%s: name a package for what it provides", pkg)
		}
		for _, imp := range p.Imports {
			if pure[pkg] && impure[imp] {
				t.Errorf("%s is pure and must not import %s", pkg, imp)
			}
			to, ours := strings.CutPrefix(imp, module)
			if !ours {
				continue
			}
			target := room(to)
			if target == from {
				continue
			}
			allowed := false
			for _, a := range arrows[from] {
				allowed = allowed || a == target
			}
			if !allowed {
				t.Errorf("%s imports %s: no arrow from %s to %s", pkg, to, from, target)
			}
		}
	}
}
