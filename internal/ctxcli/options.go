package ctxcli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// options are what the command line says.
type options struct {
	timeout    time.Duration
	patience   time.Duration // how long to wait for a manager that is not there
	socketURL  string
	jsonPrefix string
	jsonOutput bool
	help       bool
	args       []string
}

// option is one option: long ones may be shortened as long as they stay
// unambiguous, short ones may be joined.
type option struct {
	short byte // 0: none
	long  string
	flag  func(o *options)
	take  func(o *options, v string) error
}

var known = []option{
	{short: 't', long: "timeout", take: func(o *options, v string) error {
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil || n < 0 || n > 1<<31 {
			return fmt.Errorf("argument -t/--timeout: invalid int value: '%s'", v)
		}
		o.timeout = time.Duration(n) * time.Second
		return nil
	}},
	{long: "socket-url", take: func(o *options, v string) error { o.socketURL = v; return nil }},
	{long: "json-arg-prefix", take: func(o *options, v string) error { o.jsonPrefix = v; return nil }},
	{short: 'j', long: "json-output", flag: func(o *options) { o.jsonOutput = true }},
	{short: 'h', long: "help", flag: func(o *options) { o.help = true }},
}

// parse reads the command line. Options may stand anywhere; after -- nothing
// is one. What looks like an option but is none of ours is an argument: a
// message may well begin with a dash.
func parse(args []string, socketURL string) (options, error) {
	o := options{timeout: 30 * time.Second, socketURL: socketURL, jsonPrefix: "@"}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			o.args = append(o.args, args[i+1:]...)
			break
		}
		used, err := o.option(arg, args[i+1:])
		if err != nil {
			return o, err
		}
		if used < 0 {
			o.args = append(o.args, arg)
			continue
		}
		i += used
	}
	return o, nil
}

// option takes arg as an option, and tells how many of the following
// arguments belong to it; -1: arg is not an option.
func (o *options) option(arg string, rest []string) (int, error) {
	if name, ok := strings.CutPrefix(arg, "--"); ok {
		name, v, attached := strings.Cut(name, "=")
		found := named(name)
		switch {
		case found == nil:
			return -1, nil
		case found.flag != nil && attached:
			return -1, nil
		case found.flag != nil:
			found.flag(o)
			return 0, nil
		case attached:
			return 0, found.take(o, v)
		case len(rest) == 0:
			return 0, fmt.Errorf("argument --%s: expected one argument", found.long)
		}
		return 1, found.take(o, rest[0])
	}
	if len(arg) < 2 || arg[0] != '-' || !allShort(arg[1:]) {
		return -1, nil
	}
	for i := 1; i < len(arg); i++ {
		found := short(arg[i])
		if found.flag != nil {
			found.flag(o)
			continue
		}
		if v := arg[i+1:]; v != "" {
			return 0, found.take(o, strings.TrimPrefix(v, "="))
		}
		if len(rest) == 0 {
			return 0, fmt.Errorf("argument -%c/--%s: expected one argument", found.short, found.long)
		}
		return 1, found.take(o, rest[0])
	}
	return 0, nil
}

// allShort tells whether letters are short options, the last perhaps with its
// value. A value must be a number here, since all short options take one: so
// "-test" stays an argument.
func allShort(letters string) bool {
	for i := range len(letters) {
		found := short(letters[i])
		if found == nil {
			return false
		}
		if found.take != nil {
			v := strings.TrimPrefix(letters[i+1:], "=")
			_, err := strconv.Atoi(v)
			return letters[i+1:] == "" || err == nil
		}
	}
	return true
}

func short(letter byte) *option {
	for i := range known {
		if known[i].short == letter && letter != 0 {
			return &known[i]
		}
	}
	return nil
}

// named finds a long option by its name or an unambiguous beginning of it.
func named(name string) *option {
	var found *option
	for i := range known {
		if known[i].long == name {
			return &known[i]
		}
		if len(name) > 0 && strings.HasPrefix(known[i].long, name) {
			if found != nil {
				return nil
			}
			found = &known[i]
		}
	}
	return found
}
