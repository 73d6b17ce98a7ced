package script

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"windlass/internal/operation"
	"windlass/internal/operation/ctxproxy"
)

// fetch puts the script into the run directory and returns its path.
func (r *Runner) fetch(ctx context.Context, in *inputs, host operation.Host, dir *runDir) (string, error) {
	if in.source != "" {
		return r.inline(ctx, in, dir)
	}
	data, err := r.content(ctx, in, host)
	if err != nil {
		return "", err
	}
	if int64(len(data)) > r.cfg.MaxScript {
		return "", nonRecoverable("the script %s is longer than %d bytes", in.path, r.cfg.MaxScript)
	}
	return dir.writeScript(in.scriptName(), data)
}

// scriptName is what the script's file will be called, as far as is known before
// the script is: a script of the blueprint itself is a program unless it says or
// turns out otherwise.
func (in *inputs) scriptName() string {
	if in.source != "" {
		return inlineProgram
	}
	return scriptName(in.path)
}

// The names of the files of scripts that are given as text.
const (
	inlinePython  = "script.py"
	inlineProgram = "script.sh"
)

// content reads a script from where script_path says.
func (r *Runner) content(ctx context.Context, in *inputs, host operation.Host) ([]byte, error) {
	scheme, rest, isURL := strings.Cut(in.path, "://")
	switch {
	case isURL && (scheme == "http" || scheme == "https"):
		return r.download(ctx, in)
	case isURL && scheme == "file":
		return readFile(rest, r.cfg.MaxScript)
	}
	data, err := host.Resource(ctx, in.path)
	if errors.Is(err, operation.ErrNoResource) {
		return nil, ctxproxy.OperationError(ctxproxy.NoResource(in.path))
	}
	if err != nil {
		return nil, fmt.Errorf("read script %s: %w", in.path, err)
	}
	return data, nil
}

func (r *Runner) inline(ctx context.Context, in *inputs, dir *runDir) (string, error) {
	source := dedent(in.source)
	isPython := in.process.evalPython != nil && *in.process.evalPython
	if !isPython {
		var err error
		if isPython, err = r.isPython(ctx, source); err != nil {
			return "", err
		}
	}
	if isPython {
		return dir.writeScript(inlinePython, []byte(source))
	}
	return dir.writeScript(inlineProgram, []byte(source))
}

// scriptName is the file name of a script; its extension matters.
func scriptName(scriptPath string) string {
	if u, err := url.Parse(scriptPath); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		scriptPath = u.Path
	}
	name := path.Base(strings.ReplaceAll(scriptPath, `\`, "/"))
	if name == "." || name == ".." || name == "/" || len(name) > 200 || strings.ContainsRune(name, 0) || reserved[name] {
		return "script" + filepath.Ext(name)
	}
	return name
}

// readFile reads a file of this machine.
func readFile(name string, most int64) ([]byte, error) {
	if name == os.DevNull { // an empty script: the only device that is one
		return nil, nil
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hold us up
	if err != nil {
		return nil, &operation.Error{Verdict: operation.Recoverable, Type: "FileNotFoundError", Message: "read script: " + err.Error()}
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, nonRecoverable("read script: %s is not a regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("read script %s: %w", name, err)
	}
	return data, nil
}

// download gets a script by http. Only status 200 will do; a connection that
// fails may be tried again.
func (r *Runner) download(ctx context.Context, in *inputs) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.cfg.DownloadTimeout,
		fmt.Errorf("it took longer than %s", r.cfg.DownloadTimeout))
	defer cancel()
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	if in.caCert != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(in.caCert)) {
			return nil, nonRecoverable("ssl_cert_content holds no certificate in PEM form")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, in.path, nil)
	if err != nil {
		return nil, nonRecoverable("download script: %s", err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, downloadFailed(ctx, in.path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nonRecoverable("Failed downloading script: %s (status code: %d)", in.path, resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, r.cfg.MaxScript+1))
	if err != nil {
		return nil, downloadFailed(ctx, in.path, err)
	}
	return data, nil
}

func downloadFailed(ctx context.Context, address string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("download script %s: %w", address, err)
}

// dedent removes the white space that all lines begin with, as Python's
// textwrap.dedent does: lines of white space only do not count and become empty.
func dedent(text string) string {
	lines := strings.Split(text, "\n")
	margin, first := "", true
	for i, line := range lines {
		body := strings.TrimLeft(line, " \t")
		if body == "" {
			lines[i] = ""
			continue
		}
		indent := line[:len(line)-len(body)]
		if first {
			margin, first = indent, false
			continue
		}
		n := 0
		for n < len(margin) && n < len(indent) && margin[n] == indent[n] {
			n++
		}
		margin = margin[:n]
	}
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, margin)
	}
	return strings.Join(lines, "\n")
}
