package rest

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"windlass/internal/store"
	"windlass/internal/value"
)

// consumerLabel is computed, and untouched when labels are replaced.
const consumerLabel = "csys-consumer-id"

// reservedLabels are those with the reserved prefix that may be set.
var reservedLabels = []string{
	"csys-obj-name", "csys-obj-type", "csys-env-type", "csys-wrcp-services", "csys-location-name", "csys-location-lat",
	"csys-location-long", "csys-obj-parent", "csys-environment", consumerLabel, "csys-wrcp-group-id",
}

const (
	reservedPrefix  = "csys-"
	badLabels       = "Labels must be a list of 1-entry dictionaries: [{<key1>: <value1>}, {<key2>: [<value2>, <value3>]}, ...]"
	maxLabelElement = 256
)

var labelKey = regexp.MustCompile(`^[A-Za-z0-9_.~-]+$`)

// parseLabels reads the labels of a request, in either form: one-key objects
// whose value is a text or a list of texts, or objects with key and value.
func parseLabels(raw []any, by string, now time.Time) ([]store.Label, error) {
	var labels []store.Label
	for _, item := range raw {
		m, ok := item.(map[string]any)
		if !ok {
			return nil, badParameter(badLabels)
		}
		key, v := "", any(nil)
		switch {
		case len(m) == 1:
			for key, v = range m {
			}
		case m["key"] != nil && m["value"] != nil:
			if key, ok = m["key"].(string); !ok {
				return nil, badParameter(badLabels)
			}
			v = m["value"]
		default:
			return nil, badParameter(badLabels)
		}
		values, isList := v.([]any)
		if !isList {
			values = []any{v}
		}
		for _, one := range values {
			l, err := newLabel(key, one, by, now)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(labels, func(o store.Label) bool { return o.Key == l.Key && o.Value == l.Value }) {
				return nil, badParameter("You cannot define the same label twice")
			}
			labels = append(labels, l)
		}
	}
	return labels, nil
}

func newLabel(key string, v any, by string, now time.Time) (store.Label, error) {
	l := store.Label{Key: strings.ToLower(strings.TrimSpace(key)), CreatedAt: now, CreatedBy: by}
	raw, ok := v.(string)
	if !ok {
		return l, badParameter(badLabels)
	}
	switch {
	case len(l.Key) > maxLabelElement || !labelKey.MatchString(l.Key):
		return l, badParameter("The label's key `%s` is not valid: it must have 1 to %d letters, digits and the characters \"-\", \".\", \"_\" and \"~\"", key, maxLabelElement)
	case strings.HasPrefix(l.Key, reservedPrefix) && !slices.Contains(reservedLabels, l.Key):
		return l, badParameter("All labels with a `%s` prefix are reserved for internal use. Allowed `%s` prefixed labels are: %s",
			reservedPrefix, reservedPrefix, strings.Join(reservedLabels, ", "))
	}
	l.Value = norm.NFKC.String(raw)
	if l.Value == "" || len([]rune(l.Value)) > maxLabelElement {
		return l, badParameter("The value of the label `%s` must have 1 to %d characters", l.Key, maxLabelElement)
	}
	if strings.ContainsFunc(l.Value, func(c rune) bool { return unicode.IsControl(c) || c == '"' }) {
		return l, badParameter("The value `%s` of the label `%s` contains control characters or `\"`", l.Value, l.Key)
	}
	switch l.Key {
	case "csys-obj-type":
		l.Value = strings.ToLower(l.Value)
	case "csys-location-lat":
		return l, checkDegrees(l, 90)
	case "csys-location-long":
		return l, checkDegrees(l, 180)
	}
	return l, nil
}

func checkDegrees(l store.Label, limit float64) error {
	d, err := strconv.ParseFloat(l.Value, 64)
	if err != nil || d < -limit || d > limit {
		return badParameter("The value of the label `%s` must be a number from -%g to %g, got `%s`", l.Key, limit, limit, l.Value)
	}
	return nil
}

// replaceLabels gives the new set of labels: those that stay keep who made
// them and when, and computed ones are kept.
func replaceLabels(old, wanted []store.Label) []store.Label {
	out := make([]store.Label, 0, len(wanted))
	for _, l := range wanted {
		i := slices.IndexFunc(old, func(o store.Label) bool { return o.Key == l.Key && o.Value == l.Value })
		if i >= 0 {
			l = old[i]
		}
		out = append(out, l)
	}
	for _, l := range old {
		if l.Key == consumerLabel && !slices.ContainsFunc(out, func(o store.Label) bool { return o.Key == l.Key && o.Value == l.Value }) {
			out = append(out, l)
		}
	}
	return out
}

func labelsOut(labels []store.Label) any {
	out := make([]any, len(labels))
	for i, l := range labels {
		out[i] = object{"key": l.Key, "value": l.Value, "created_at": date(l.CreatedAt), "created_by": l.CreatedBy}
	}
	return out
}

// collectLabels gathers the labels of all records that the caller may list.
func (s *server) collectLabels(r *request, q listing, visit func(store.Label)) error {
	q.Search, q.Filters, q.Sort = "", nil, nil
	if r.PathValue("kind") == "blueprints" {
		return each(r.Context(), q.Query, s.Store.ListBlueprints, func(b store.Blueprint) error {
			for _, l := range b.Labels {
				visit(l)
			}
			return nil
		})
	}
	return each(r.Context(), q.Query, s.Store.ListDeployments, func(d store.Deployment) error {
		for _, l := range d.Labels {
			visit(l)
		}
		return nil
	})
}

// listLabelKeys and listLabelValues answer GET /labels/<kind> and
// /labels/<kind>/<key>.
func (s *server) listLabelKeys(w http.ResponseWriter, r *request) error {
	return s.listLabels(w, r, func(l store.Label) (string, bool) { return l.Key, true })
}

func (s *server) listLabelValues(w http.ResponseWriter, r *request) error {
	key := strings.ToLower(r.PathValue("key"))
	return s.listLabels(w, r, func(l store.Label) (string, bool) { return l.Value, l.Key == key })
}

func (s *server) listLabels(w http.ResponseWriter, r *request, pick func(store.Label) (string, bool)) error {
	if k := r.PathValue("kind"); k != "blueprints" && k != "deployments" {
		return notFound("Labels", k)
	}
	q, err := s.listing(r, listed{})
	if err != nil {
		return err
	}
	reserved, err := r.queryFlag("_reserved", false)
	if err != nil {
		return err
	}
	found := map[string]bool{}
	if reserved {
		for _, k := range reservedLabels {
			found[k] = true
		}
	} else if err := s.collectLabels(r, q, func(l store.Label) {
		if v, picked := pick(l); picked {
			found[v] = true
		}
	}); err != nil {
		return err
	}
	var items []any
	for _, v := range value.SortedKeys(found) {
		if strings.Contains(strings.ToLower(v), strings.ToLower(q.Search)) {
			items = append(items, v)
		}
	}
	page := slicePage(items, q)
	return ok(w, q.envelope(page.Items, page.Total, nil))
}

// compareText orders what sorting by labels compares.
func compareText(a, b string) int {
	return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
}
