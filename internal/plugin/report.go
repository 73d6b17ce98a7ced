package plugin

import (
	"fmt"
	"slices"
	"strings"
)

// Report tells whether a plugin fits a machine.
type Report struct {
	// Interpreter is what it would be installed for; zero if none fits.
	Interpreter Interpreter
	// Problems forbid the installation.
	Problems []string
	// Warnings are what may go wrong later.
	Warnings []string
}

// Fits tells whether the plugin can be installed.
func (r Report) Fits() bool { return len(r.Problems) == 0 }

// Check tells whether a plugin can be installed for one of the interpreters:
// for the first that fits. If none does, the problems are those of the first.
func Check(m *Metadata, interpreters []Interpreter) Report {
	if m.Program { // whether it runs on this machine only its makers know
		return Report{Warnings: m.warnings()}
	}
	if len(interpreters) == 0 {
		return Report{Problems: []string{errNoPython.Error()}}
	}
	var best Report
	for k, i := range interpreters {
		r := Report{Interpreter: i, Problems: m.problems(i)}
		if !r.Fits() {
			r.Interpreter = Interpreter{}
		}
		if k == 0 || r.Fits() {
			best = r
		}
		if r.Fits() {
			break
		}
	}
	best.Warnings = m.warnings()
	return best
}

func (m *Metadata) problems(i Interpreter) []string {
	var problems []string
	if m.RequiresPython != "" {
		if fits, err := Satisfies(fmt.Sprintf("%d.%d", i.Major, i.Minor), m.RequiresPython); err == nil && !fits {
			problems = append(problems, fmt.Sprintf("it requires Python %s; this one is %s", m.RequiresPython, i.Version()))
		}
	}
	if m.Kind == Source || m.Kind == Folder {
		return problems
	}
	for _, w := range m.Wheels {
		t, ok := wheelTags(w)
		if !ok {
			problems = append(problems, fmt.Sprintf("the wheel %s has a name that no wheel can have", w))
			continue
		}
		if fits, why := i.accepts(t); !fits {
			problems = append(problems, fmt.Sprintf("the wheel %s doesn't fit: %s", w, why))
		}
	}
	// A wagon that says nothing of its wheels says it of itself.
	if m.Kind == Wagon && len(problems) == 0 {
		if !slices.ContainsFunc(strings.Split(m.SupportedPlatform, "."), i.runs) {
			problems = append(problems, fmt.Sprintf("it was built for the platform %s; this one is %s", m.SupportedPlatform, i.Platform))
		}
		own := fmt.Sprintf("py%d%d", i.Major, i.Minor)
		generic := fmt.Sprintf("py%d", i.Major)
		v := m.SupportedPythonVersions
		if len(v) > 0 && !slices.Contains(v, own) && !slices.Contains(v, generic) && !m.onlyPure() {
			problems = append(problems, fmt.Sprintf("it was built for %s; this Python is %s", strings.Join(v, ", "), i.Version()))
		}
	}
	return problems
}

// onlyPure tells whether all wheels are without binaries.
func (m *Metadata) onlyPure() bool {
	return !slices.ContainsFunc(m.Wheels, func(w string) bool {
		t, ok := wheelTags(w)
		return !ok || !slices.Equal(t.platforms, []string{"any"})
	})
}

func (m *Metadata) warnings() []string {
	var warnings []string
	if len(m.YAML) == 0 {
		warnings = append(warnings, "it has no plugin.yaml: blueprints cannot import it by name and must declare it themselves")
	}
	if len(m.ExcludedWheels) > 0 {
		warnings = append(warnings, "these wheels were left out of it and must come from elsewhere: "+strings.Join(m.ExcludedWheels, ", "))
	}
	if missing := m.missing(); len(missing) > 0 {
		warnings = append(warnings, "it requires packages that its archive lacks: "+strings.Join(missing, ", "))
	}
	if m.Kind == Wheel || m.Kind == Wagon {
		return warnings
	}
	if m.PackageVersion == "" && !m.Program {
		warnings = append(warnings, "its version is told by running its setup.py only")
	}
	return warnings
}

// missing lists the requirements of a wheel that stands alone. The framework is
// here anyway.
func (m *Metadata) missing() []string {
	if m.Kind != Wheel {
		return nil
	}
	var list []string
	for _, r := range m.Requires {
		name := requirementName(r)
		if !strings.Contains(r, "extra ==") && !strings.Contains(r, "extra==") && !provided[name] {
			list = append(list, name)
		}
	}
	return list
}

// provided are packages that the framework stands for.
var provided = map[string]bool{"cloudify-common": true, "cloudify-plugins-common": true, "cloudify-rest-client": true, "cloudify-dsl-parser": true}

// requirementName is the package that a requirement asks for.
func requirementName(requirement string) string {
	end := strings.IndexFunc(requirement, func(r rune) bool { return strings.ContainsRune(" ;<>=!~[(@", r) })
	if end < 0 {
		end = len(requirement)
	}
	return normalize(strings.TrimSpace(requirement[:end]))
}
