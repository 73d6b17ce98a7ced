package rest

import (
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"windlass/internal/store"
	"windlass/internal/value"
)

// FuzzRules: filter rules of any form are taken or refused, and what is taken
// has an operator that the code knows.
func FuzzRules(f *testing.F) {
	f.Add(`[{"key":"a","values":["b"],"operator":"any_of","type":"label"}]`)
	f.Add(`[{"key":"id","values":[],"operator":"is_not_empty","type":"attribute"}]`)
	f.Add(`[1, null, {}]`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := value.Decode([]byte(text))
		raw, isList := v.([]any)
		if err != nil || !isList {
			return
		}
		rules, err := parseRules(raw, deploymentAttributes, true)
		if err != nil {
			if a := answerTo(err); a.code != "invalid_filter_rule" {
				t.Errorf("refused with %+v", a)
			}
			return
		}
		for _, r := range rules {
			if _, known := store.RuleOperators[r.Operator]; !r.OnLabel && !known {
				t.Errorf("unknown operator %q was taken", r.Operator)
			}
			r.Matches(nil)
		}
	})
}

// FuzzLabels: what is taken has lower-case keys and no label twice.
func FuzzLabels(f *testing.F) {
	f.Add(`[{"a": ["b", "c"]}, {"key": "k", "value": "v"}]`)
	f.Add(`[{"csys-location-lat": "12.5"}]`)
	f.Add(`[{"a": {}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := value.Decode([]byte(text))
		raw, isList := v.([]any)
		if err != nil || !isList {
			return
		}
		labels, err := parseLabels(raw, "ann", started)
		if err != nil {
			if a := answerTo(err); a.status != http.StatusBadRequest {
				t.Errorf("refused with %+v", a)
			}
			return
		}
		seen := map[string]bool{}
		for _, l := range labels {
			if l.Key != strings.ToLower(l.Key) || l.Key == "" || l.Value == "" || seen[l.Key+"="+l.Value] {
				t.Errorf("%q=%q", l.Key, l.Value)
			}
			seen[l.Key+"="+l.Value] = true
		}
	})
}

// FuzzMultipart: bodies of any form are read or refused as the client's fault.
func FuzzMultipart(f *testing.F) {
	f.Add("--x\r\nContent-Disposition: form-data; name=\"params\"\r\n\r\n{\"visibility\": \"tenant\"}\r\n--x--\r\n")
	f.Add("--x\r\nContent-Disposition: form-data; name=\"blueprint_archive\"; filename=\"f\"\r\n\r\nABC\r\n--x--\r\n")
	f.Add("--x\r\n\r\n--x--")
	f.Fuzz(func(t *testing.T, body string) {
		u, err := readMultipart(multipart.NewReader(strings.NewReader(body), "x"))
		if err != nil {
			if a := answerTo(err); a.status != http.StatusBadRequest {
				t.Errorf("refused with %+v: %v", a, err)
			}
			return
		}
		if u.archive != nil {
			_, _ = io.Copy(io.Discard, u.archive)
		}
		if c, isFile := u.archive.(io.Closer); isFile {
			_ = c.Close()
		}
	})
}

// FuzzBasicAuth: a user name that is accepted starts with a letter.
func FuzzBasicAuth(f *testing.F) {
	f.Add("Basic YWRtaW46YWRtaW4=")
	f.Add("basic Og==")
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{header}
		user, _, ok := basicAuth(r)
		if ok && (user == "" || !strings.ContainsAny(user[:1], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
			t.Errorf("accepted %q", user)
		}
	})
}
