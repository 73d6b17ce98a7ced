package compile

import (
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // schedules name time zones; a machine may have none installed

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
	"windlass/internal/value"
)

func (c *compiler) exposed(section string) map[string]plan.Output {
	result := map[string]plan.Output{}
	for e := range c.entries(section) {
		result[e.name] = plan.Output{
			Description: c.textPointer(e.node, "description"), Value: value.Any{V: c.get(e.node, "value").Plain()},
		}
	}
	return result
}

func (c *compiler) labels(section string, check func(e entry, v *yaml.Node) *problem.Problem) map[string]plan.Label {
	result := map[string]plan.Label{}
	for e := range c.entries(section) {
		list := c.get(e.node, "values")
		if list == nil {
			continue
		}
		label := plan.Label{Values: make([]any, 0, len(list.Items))}
		for i, item := range list.Items {
			if p := check(e, item); p != nil {
				c.report(p, item, e.path.Down("values").Down(itoa(i)))
				continue
			}
			label.Values = append(label.Values, item.Plain())
		}
		result[e.name] = label
	}
	return result
}

func (c *compiler) deploymentLabel(e entry, v *yaml.Node) *problem.Problem {
	_, isText := v.Text()
	switch {
	case !isText && v.Kind != yaml.Mapping:
		return problem.Coded(problem.Parsing, 1,
			"The label's value must be a string or an intrinsic function. Please modify the values of %s", e.name).
			WithHint("%s", quoteHint(v))
	case v.Get("get_attribute") != nil:
		return problem.Coded(problem.Parsing, 1, "The label's value cannot be a runtime property. "+
			"Please remove the `get_attribute` function from the values of %s", e.name)
	}
	return nil
}

func (c *compiler) blueprintLabel(e entry, v *yaml.Node) *problem.Problem {
	if _, isText := v.Text(); isText {
		return nil
	}
	return problem.Coded(problem.Parsing, 1,
		"The blueprint label's value must be a string. Please modify the values of %s", e.name).WithHint("%s", quoteHint(v))
}

func quoteHint(v *yaml.Node) string {
	if v.Kind != yaml.Scalar || v.IsNull() {
		return ""
	}
	return "put it in quotes: \"" + value.Text(v.Plain()) + "\""
}

func (c *compiler) deploymentSettings() value.Map {
	result := value.Map{}
	n := c.sections["deployment_settings"]
	if n == nil {
		return result
	}
	path := c.at("deployment_settings")
	for _, key := range []string{"default_groups", "id_template", "display_name"} {
		if child := n.Get(key); child != nil && !c.bad[child] {
			result[key] = child.Plain()
		}
	}
	schedules := map[string]any{}
	for e := range c.within(n.Get("default_schedules"), path.Down("default_schedules")) {
		schedules[e.name] = c.schedule(e)
	}
	result["default_schedules"] = schedules
	return result
}

// schedule gives a schedule with its absolute times in UTC.
func (c *compiler) schedule(e entry) map[string]any {
	result := e.node.PlainMap()
	var zone *time.Location
	if name := c.text(e.node, "timezone"); name != "" {
		var err error
		if zone, err = time.LoadLocation(name); err != nil || name == "Local" {
			c.report(problem.New(problem.BadValue, "%s is not a recognized timezone", name),
				e.node.Get("timezone"), e.path.Down("timezone"))
			zone = time.UTC
		}
	}
	delete(result, "timezone")
	for _, key := range []string{"since", "until"} {
		text := c.text(e.node, key)
		if text == "" {
			continue
		}
		converted, p := c.scheduleTime(text, zone)
		if p != nil {
			c.report(p, e.node.Get(key), e.path.Down(key))
			continue
		}
		result[key] = converted
	}
	if text := c.text(e.node, "recurrence"); text != "" && !isInterval(text) {
		c.report(notAnInterval(text), e.node.Get("recurrence"), e.path.Down("recurrence"))
	}
	c.scheduleParameters(e)
	c.weekdays(e)
	return result
}

func notAnInterval(text string) *problem.Problem {
	return problem.New(problem.BadValue, "%s is not a legal time delta", text).
		WithHint("write a number and minutes, hours, days, weeks, months or years, such as 2 weeks")
}

// isInterval tells whether text is like 2 weeks, 1d, 10 min.
func isInterval(text string) bool {
	number := strings.TrimLeft(text, "0123456789")
	if len(number) == len(text) {
		return false
	}
	unit := strings.TrimSuffix(strings.TrimPrefix(number, " "), "s")
	switch unit {
	case "min", "minute", "h", "hour", "d", "day", "w", "week", "mo", "month", "y", "year":
		return true
	}
	return false
}

// scheduleTime converts an absolute time to UTC; a relative one stays as it is.
func (c *compiler) scheduleTime(text string, zone *time.Location) (string, *problem.Problem) {
	if strings.HasPrefix(text, "+") {
		for _, delta := range regexp.MustCompile(`\+(\d+ ?[a-z]+) ?`).FindAllStringSubmatch(text, -1) {
			if !isInterval(delta[1]) {
				return "", notAnInterval(delta[1])
			}
		}
		return text, nil
	}
	if zone == nil {
		zone = time.Local
	}
	if t, err := time.ParseInLocation("2006-1-2 15:04", text, zone); err == nil {
		return t.UTC().Format(time.DateTime), nil
	}
	clock, err := time.Parse("15:04", text)
	if err != nil {
		return "", problem.New(problem.BadValue,
			"%s is not a legal time format. accepted formats are YYYY-MM-DD HH:MM | HH:MM", text)
	}
	now := time.Now
	if c.opts.Now != nil {
		now = c.opts.Now
	}
	year, month, day := now().Date()
	return time.Date(year, month, day, clock.Hour(), clock.Minute(), 0, 0, zone).UTC().Format(time.DateTime), nil
}

func (c *compiler) scheduleParameters(e entry) {
	n := c.get(e.node, "workflow_parameters")
	path := e.path.Down("workflow_parameters")
	const text = "`workflow_parameters` cannot %s a runtime property. Please remove the `get_attribute` function%s"
	if at := n.KeyNode("get_attribute"); at != nil {
		c.report(problem.Coded(problem.Parsing, 1, text, "be", ""), at, path)
		return
	}
	for p := range c.within(n, path) {
		if at := p.node.KeyNode("get_attribute"); at != nil {
			c.report(problem.Coded(problem.Parsing, 1, text, "contain", " from the value of "+p.name), at, p.path)
		}
	}
}

func (c *compiler) weekdays(e entry) {
	list := c.get(e.node, "weekdays")
	if list == nil {
		return
	}
	for i, item := range list.Items {
		day, ok := item.Text()
		if !ok {
			continue
		}
		short := strings.ToLower(day)
		if len(short) > 2 {
			short = short[len(short)-2:]
		}
		switch short {
		case "su", "mo", "tu", "we", "th", "fr", "sa":
			continue
		}
		c.report(problem.Coded(problem.Parsing, 1, "%s is not a valid weekday value. Accepted values: "+
			"['su', 'mo', 'tu', 'we', 'th', 'fr', 'sa']", short), item, e.path.Down("weekdays").Down(itoa(i)))
	}
}
