package stdio

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"windlass/internal/operation"
	"windlass/internal/value"
)

// ManifestFile is the file by which a folder is known as such a plugin.
const ManifestFile = "plugin-manifest.json"

// Protocol is the version that is spoken.
const Protocol = 1

// Manifest says how a plugin is run.
type Manifest struct {
	Name, Version, Description string
	Protocol                   int64
	// Command is the program with its arguments. A program with a slash in its
	// name is in the plugin's folder; others are looked for on the PATH. {folder}
	// stands for that folder, {os} and {arch} for the machine's, as Go names them.
	Command []string
}

// HasManifest tells whether the folder is such a plugin.
func HasManifest(folder string) bool {
	info, err := os.Stat(filepath.Join(folder, ManifestFile))
	return err == nil && info.Mode().IsRegular()
}

const maxManifest = 1 << 20

// ReadManifest reads and checks a folder's manifest. What is wrong with it is an
// *operation.Error that trying again can't mend.
func ReadManifest(folder string) (Manifest, error) {
	path := filepath.Join(folder, ManifestFile)
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxManifest {
		err = errors.New("it is too long to be one")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("read the plugin's %s: %w", ManifestFile, err)
	}
	m, err := parseManifest(data)
	if err != nil {
		return m, nonRecoverable("the plugin's %s: %s", ManifestFile, err)
	}
	return m, nil
}

func parseManifest(data []byte) (m Manifest, err error) {
	fields, err := value.DecodeMap(data)
	if err != nil {
		return m, fmt.Errorf("it is no JSON object: %w", err)
	}
	for _, name := range value.SortedKeys(fields) {
		v := fields[name]
		ok := true
		switch name {
		case "name":
			m.Name, ok = v.(string)
		case "version":
			m.Version, ok = v.(string)
		case "description":
			m.Description, ok = v.(string)
		case "protocol":
			m.Protocol, ok = v.(int64)
		case "command":
			m.Command, ok = texts(v)
		default:
			return m, fmt.Errorf("%q is nothing it may have: it has name, version, description, protocol and command", name)
		}
		if !ok {
			return m, fmt.Errorf("%s is of the wrong type: protocol is a number, command a list of strings, all else a string", name)
		}
	}
	switch {
	case m.Protocol == 0:
		return m, fmt.Errorf("it must say which protocol the plugin speaks: \"protocol\": %d", Protocol)
	case m.Protocol != Protocol:
		return m, fmt.Errorf("the plugin speaks protocol %d, and this manager %d", m.Protocol, Protocol)
	case len(m.Command) == 0 || m.Command[0] == "":
		return m, errors.New(`it must say how to run the plugin: "command": ["bin/plugin"]`)
	}
	return m, nil
}

func texts(v any) ([]string, bool) {
	list, ok := v.([]any)
	all := make([]string, len(list))
	for i, item := range list {
		text, isText := item.(string)
		if !isText || strings.ContainsRune(text, 0) {
			return nil, false
		}
		all[i] = text
	}
	return all, ok
}

// command is the program of a plugin in a folder and its arguments.
func (m Manifest) command(folder string, env []string) ([]string, error) {
	replace := strings.NewReplacer("{os}", runtime.GOOS, "{arch}", runtime.GOARCH, "{folder}", folder)
	argv := make([]string, len(m.Command))
	for i, arg := range m.Command {
		argv[i] = replace.Replace(arg)
	}
	program := strings.TrimPrefix(argv[0], folder+"/")
	if !strings.Contains(argv[0], "/") {
		found, err := onPath(program, env)
		if err != nil {
			return nil, nonRecoverable("the plugin needs %s, which was not found on the PATH of the manager", program)
		}
		argv[0] = found
		return argv, nil
	}
	if !filepath.IsLocal(filepath.FromSlash(program)) {
		return nil, nonRecoverable("the plugin's command %s is not in its folder", program)
	}
	argv[0] = filepath.Join(folder, filepath.FromSlash(program))
	info, err := os.Stat(argv[0])
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nonRecoverable("the plugin has no program %s; is it built for this machine, %s on %s?", program, runtime.GOOS, runtime.GOARCH)
	case err != nil:
		return nil, fmt.Errorf("look for the plugin's program: %w", err)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return nil, nonRecoverable("the plugin's program %s can't be executed: it must be a file with the mode of a program (chmod +x) in the archive", program)
	}
	return argv, nil
}

// onPath looks a program up on the PATH that plugins have.
func onPath(program string, env []string) (string, error) {
	for _, e := range env {
		list, ok := strings.CutPrefix(e, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(list) {
			if found, err := exec.LookPath(filepath.Join(dir, program)); err == nil && filepath.IsAbs(dir) {
				return found, nil
			}
		}
	}
	return "", exec.ErrNotFound
}

func nonRecoverable(format string, args ...any) error {
	return &operation.Error{
		Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: fmt.Sprintf(format, args...),
	}
}
