package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"windlass/internal/value"
)

// client speaks REST v3.1 to one manager.
type client struct {
	base   string // http://host:port
	header http.Header
	http   *http.Client
}

// apiError is an answer that tells of an error.
type apiError struct {
	Status  int
	Code    string
	Message string
}

func (e *apiError) Error() string { return e.Message }

func isNotFound(err error) bool {
	return hasStatus(err, http.StatusNotFound)
}

func hasStatus(err error, status int) bool {
	var e *apiError
	return errors.As(err, &e) && e.Status == status
}

const apiPrefix = "/api/v3.1"

// object is one record as the API gives it.
type object = map[string]any

// do sends a request and decodes the answer, nil if it has no body.
func (c *client) do(ctx context.Context, method, path string, query url.Values, body any) (any, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(value.Encode(body))
	}
	res, err := c.send(ctx, method, path, query, reader, "application/json")
	if err != nil {
		return nil, err
	}
	return readAnswer(res)
}

// readAnswer decodes and closes an answer, nil if it has no body.
func readAnswer(res *http.Response) (any, error) {
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read the manager's answer: %w", err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	v, err := value.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s %s: the answer is not JSON: %w", res.Request.Method, res.Request.URL.Path, err)
	}
	return v, nil
}

func (c *client) send(ctx context.Context, method, path string, query url.Values, body io.Reader, contentType string) (*http.Response, error) {
	target := c.base + apiPrefix + path
	if strings.HasPrefix(path, "/api/") {
		target = c.base + path
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	for k, v := range c.header {
		req.Header[k] = v
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) && ctx.Err() == nil {
			return nil, fmt.Errorf("can't reach the manager at %s: %w", c.base, u.Err)
		}
		return nil, err
	}
	if res.StatusCode >= 300 {
		defer func() { _ = res.Body.Close() }()
		return nil, readError(res)
	}
	return res, nil
}

func readError(res *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	var e struct {
		Message string `json:"message"`
		Code    string `json:"error_code"`
	}
	if json.Unmarshal(data, &e) != nil || e.Message == "" {
		e.Message = strings.TrimSpace(fmt.Sprintf("%s %s", res.Status, data))
	}
	return &apiError{Status: res.StatusCode, Code: e.Code, Message: e.Message}
}

func (c *client) get(ctx context.Context, path string, query url.Values) (object, error) {
	v, err := c.do(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("GET %s: expected an object", path)
	}
	return o, nil
}

// list returns the items of a list, and how many there are in all.
func (c *client) list(ctx context.Context, path string, query url.Values) ([]object, int64, error) {
	o, err := c.get(ctx, path, query)
	if err != nil {
		return nil, 0, err
	}
	raw, _ := o["items"].([]any)
	items := make([]object, 0, len(raw))
	for _, r := range raw {
		if item, ok := r.(object); ok {
			items = append(items, item)
		}
	}
	metadata, _ := o["metadata"].(object)
	pagination, _ := metadata["pagination"].(object)
	total, _ := pagination["total"].(int64)
	return items, total, nil
}

// upload sends a blueprint archive and returns the blueprint, whose parsing
// goes on.
func (c *client) upload(ctx context.Context, id string, params object, archive io.Reader) (object, error) {
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := form.WriteField("params", string(value.Encode(params)))
		if err == nil && archive != nil {
			var part io.Writer
			if part, err = form.CreateFormFile("blueprint_archive", "archive"); err == nil {
				_, err = io.Copy(part, archive)
			}
		}
		_ = w.CloseWithError(errors.Join(err, form.Close()))
	}()
	res, err := c.send(ctx, http.MethodPut, "/blueprints/"+url.PathEscape(id), nil, r, form.FormDataContentType())
	_ = r.Close()
	<-done
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	return value.DecodeMap(data)
}

// stream calls each for every event of an execution, starting after the
// sequence number, until the execution has ended or each returns false. It
// returns the last sequence number seen.
func (c *client) stream(ctx context.Context, id string, after string, each func(event object) bool) (string, error) {
	var query url.Values
	if after != "" {
		query = url.Values{"from": {after}}
	}
	res, err := c.send(ctx, http.MethodGet, "/executions/"+url.PathEscape(id)+"/events/stream", query, nil, "")
	if err != nil {
		return after, err
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewReader(res.Body)
	var name, data string
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return after, err
		}
		line = strings.TrimRight(line, "\r\n")
		field, content, _ := strings.Cut(line, ":")
		content = strings.TrimPrefix(content, " ")
		switch {
		case line == "":
			if data != "" {
				event, err := value.DecodeMap([]byte(data))
				if err != nil {
					return after, err
				}
				if name == "end" {
					return after, nil
				}
				if (name == "event" || name == "log") && !each(event) {
					return after, nil
				}
			}
			name, data = "", ""
		case field == "id":
			after = content
		case field == "event":
			name = content
		case field == "data":
			data += content
		}
	}
}
