package plugin

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// project is what a source's setup.py or pyproject.toml tells when it is run.
type project struct {
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Requires []string `json:"requires"`
	// Folders are where its packages and modules lie, in the source.
	Folders []string `json:"folders"`
	Builds  bool     `json:"builds"` // it has parts that must be compiled
}

//go:embed project.py
var projectProgram string

// readProjectByRunning runs a source's setup.py without setuptools, to see what
// it would have told them.
func readProjectByRunning(ctx context.Context, i Interpreter, dir string) (project, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var p project
	out, err := run(ctx, dir, i.Path, "-c", projectProgram, dir)
	if err == nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		err = json.Unmarshal([]byte(lines[len(lines)-1]), &p)
	}
	if err != nil {
		return p, fmt.Errorf("find out what the source %s consists of: %w", filepath.Base(dir), err)
	}
	return p, nil
}

// needs lists the requirements that the framework does not stand for.
func (p project) needs() []string {
	var list []string
	for _, r := range p.Requires {
		if !provided[requirementName(r)] {
			list = append(list, r)
		}
	}
	return list
}
