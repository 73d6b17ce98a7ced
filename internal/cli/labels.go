package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// label is a key with a value; in a deletion, "" means all values.
type label struct{ key, value string }

// parseLabels reads key:value,key:value; a : or , in a value is written \: and \,.
func parseLabels(text string, mayLackValue bool) ([]label, error) {
	const colon, comma = "\x00", "\x01"
	text = strings.NewReplacer(`\:`, colon, `\,`, comma).Replace(text)
	plain := strings.NewReplacer(colon, ":", comma, ",", `\$`, "$")
	var labels []label
	for part := range strings.SplitSeq(text, ",") {
		key, v, ok := strings.Cut(part, ":")
		key, v = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(plain.Replace(v))
		if key == "" || !ok && !mayLackValue || ok && v == "" {
			return nil, usageError{fmt.Errorf("write labels as key:value,key:value, with `\\` before a `,` or `:` in a value; %q is none", plain.Replace(part))}
		}
		labels = append(labels, label{key, v})
	}
	return labels, nil
}

// labelsCommand works with the labels of one kind of record, such as deployment.
func (a *app) labelsCommand(kind string) *cobra.Command {
	path := func(id string) string { return "/" + kind + "s/" + url.PathEscape(id) }
	if kind == "deployment group" {
		path = func(id string) string { return groupPath("deployment", id) }
	}
	place := strings.ToUpper(strings.Fields(kind)[0])
	return group("labels", "Labels of a "+kind,
		leaf("list "+place, "List the labels", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			labels, err := a.labelsOf(c, path(args[0]))
			if err != nil {
				return err
			}
			return a.showLabels(kind, labels)
		}),
		leaf("add LABELS "+place, "Add labels: key:value,key:value", cobra.ExactArgs(2), func(c *cobra.Command, args []string) error {
			given, err := parseLabels(args[0], false)
			if err != nil {
				return err
			}
			return a.changeLabels(c, kind, path(args[1]), args[1], func(has []label) ([]label, []label) {
				var added []label
				for _, l := range given {
					if !slices.Contains(has, l) && !slices.Contains(added, l) {
						added = append(added, l)
					}
				}
				return append(has, added...), added
			}, "added", "already assigned")
		}),
		leaf("delete LABELS "+place, "Delete labels: key:value, or a key with all values", cobra.ExactArgs(2), func(c *cobra.Command, args []string) error {
			given, err := parseLabels(args[0], true)
			if err != nil {
				return err
			}
			return a.changeLabels(c, kind, path(args[1]), args[1], func(has []label) (left, gone []label) {
				for _, l := range has {
					if slices.Contains(given, l) || slices.Contains(given, label{key: l.key}) {
						gone = append(gone, l)
					} else {
						left = append(left, l)
					}
				}
				return left, gone
			}, "deleted", "not assigned")
		}),
	)
}

func (a *app) labelsOf(c *cobra.Command, path string) ([]label, error) {
	v, err := a.request(c, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	record, _ := v.(object)
	items, _ := record["labels"].([]any)
	var labels []label
	for _, item := range items {
		if o, ok := item.(object); ok {
			labels = append(labels, label{text(o, "key"), text(o, "value")})
		}
	}
	return labels, nil
}

func (a *app) showLabels(kind string, labels []label) error {
	byKey := map[string][]any{}
	var keys []string
	for _, l := range labels {
		if byKey[l.key] == nil {
			keys = append(keys, l.key)
		}
		byKey[l.key] = append(byKey[l.key], l.value)
	}
	if a.json {
		o := object{}
		for key, values := range byKey {
			o[key] = values
		}
		return a.printJSON(o)
	}
	var rows []object
	for _, key := range keys {
		var texts []string
		for _, v := range byKey[key] {
			texts = append(texts, fmt.Sprintf("%q", strings.NewReplacer(",", `\,`, ":", `\:`, "$", `\$`).Replace(v.(string))))
		}
		rows = append(rows, object{"key": key, "values": strings.Join(texts, ", ")})
	}
	return a.table(strings.ToUpper(kind[:1])+kind[1:]+" labels", []string{"key", "values"}, rows)
}

// changeLabels replaces the labels by what change makes of them. change also
// tells which ones came or went.
func (a *app) changeLabels(c *cobra.Command, kind, path, id string, change func([]label) (all, changed []label), done, nothing string) error {
	has, err := a.labelsOf(c, path)
	if err != nil {
		return err
	}
	all, changed := change(has)
	if len(changed) == 0 {
		a.say("The provided labels are %s to %s %s. No labels were %s.", nothing, kind, id, done)
		return nil
	}
	method := http.MethodPatch
	if kind == "deployment group" {
		method = http.MethodPut
	}
	if _, err := a.request(c, method, path, object{"labels": labelObjects(all)}); err != nil {
		return err
	}
	var texts []string
	for _, l := range changed {
		texts = append(texts, l.key+":"+l.value)
	}
	a.say("The following label(s) were %s successfully: %s", done, strings.Join(texts, ", "))
	return nil
}

func labelObjects(labels []label) []any {
	list := make([]any, len(labels))
	for i, l := range labels {
		list[i] = object{l.key: l.value}
	}
	return list
}
