package cli

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// pluginGift is what a plugin gives to the blueprints or deployments that use it.
type pluginGift struct {
	use, field, short string
	single            bool // a key has one value
}

var pluginGifts = []pluginGift{
	{"blueprint-labels", "blueprint_labels", "Labels that blueprints get which import a plugin", false},
	{"deployment-labels", "labels", "Labels that deployments get whose blueprint imports a plugin", false},
	{"resource-tags", "resource_tags", "Tags that deployments get for the resources that they make", true},
}

func (a *app) pluginGiftCommand(g pluginGift) *cobra.Command {
	return group(g.use, g.short,
		leaf("list ID", "List them", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			has, err := a.pluginGifts(c, g, args[0])
			if err != nil {
				return err
			}
			return a.showPluginGifts(g, has)
		}),
		leaf("add KEY:VALUE,KEY:VALUE ID", "Add some, with `\\` before a `,` or `:` in a value", cobra.ExactArgs(2), func(c *cobra.Command, args []string) error {
			return a.changePluginGifts(c, g, args[1], args[0], false, "added", addGift)
		}),
		leaf("delete KEYS ID", "Delete some: key:value, or a key with all values", cobra.ExactArgs(2), func(c *cobra.Command, args []string) error {
			return a.changePluginGifts(c, g, args[1], args[0], true, "deleted", deleteGift)
		}),
	)
}

// pluginGifts returns the values of each key.
func (a *app) pluginGifts(c *cobra.Command, g pluginGift, id string) (map[string][]any, error) {
	v, err := a.request(c, http.MethodGet, pluginPath(id), nil)
	if err != nil {
		return nil, err
	}
	record, _ := v.(object)
	stored, _ := record[g.field].(object)
	has := map[string][]any{}
	for key, v := range stored {
		if list, ok := v.([]any); ok {
			has[key] = list
		} else {
			has[key] = []any{v}
		}
	}
	return has, nil
}

// asStored is what the manager stores.
func (g pluginGift) asStored(has map[string][]any) object {
	o := object{}
	for key, values := range has {
		if o[key] = values; g.single {
			o[key] = values[len(values)-1]
		}
	}
	return o
}

func (a *app) showPluginGifts(g pluginGift, has map[string][]any) error {
	if a.json {
		return a.printJSON(g.asStored(has))
	}
	var rows []object
	for _, key := range slices.Sorted(maps.Keys(has)) {
		texts := make([]string, len(has[key]))
		for i, v := range has[key] {
			texts[i] = text(object{"v": v}, "v")
		}
		rows = append(rows, object{"key": key, "values": strings.Join(texts, ", ")})
	}
	return a.table("Plugin "+strings.ReplaceAll(g.use, "-", " "), []string{"key", "values"}, rows)
}

// changePluginGifts has change put each label into what there is, or take it out;
// it tells whether that made a difference.
func (a *app) changePluginGifts(
	c *cobra.Command, g pluginGift, id, given string, mayLackValue bool, done string, change func(has map[string][]any, l label) bool,
) error {
	labels, err := parseLabels(given, mayLackValue)
	if err != nil {
		return err
	}
	has, err := a.pluginGifts(c, g, id)
	if err != nil {
		return err
	}
	changed := false
	for _, l := range labels {
		changed = change(has, l) || changed
	}
	if !changed {
		a.say("No %s of plugin %s were %s.", strings.ReplaceAll(g.use, "-", " "), id, done)
		return nil
	}
	if _, err := a.request(c, http.MethodPatch, pluginPath(id), object{g.field: g.asStored(has)}); err != nil {
		return err
	}
	a.say("The %s of plugin %s were %s: %s", strings.ReplaceAll(g.use, "-", " "), id, done, given)
	return nil
}

func addGift(has map[string][]any, l label) bool {
	if slices.Contains(has[l.key], any(l.value)) {
		return false
	}
	has[l.key] = append(has[l.key], l.value)
	return true
}

func deleteGift(has map[string][]any, l label) bool {
	before := len(has[l.key])
	left := slices.DeleteFunc(has[l.key], func(v any) bool { return l.value == "" || v == l.value })
	if has[l.key] = left; len(left) == 0 {
		delete(has, l.key)
	}
	return len(left) < before
}
