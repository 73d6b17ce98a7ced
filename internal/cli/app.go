// Package cli is the cfy command line. Every command speaks REST to a
// manager; without one, to a manager in this process on ./.cloudify.
package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// Exit statuses.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// Environment is what a command line runs in.
type Environment struct {
	Args    []string // without the program's name
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Getenv  func(string) string
	Version string
}

// app is one run of the command line.
type app struct {
	Environment
	json      bool
	format    string
	verbosity int
	tenant    string
	managerAt string

	home  string
	local *localManager // in this process, if one was started
	input *bufio.Reader // of Stdin, once something was read
}

// usageError is a mistake in how a command was called.
type usageError struct{ error }

// silent is an error that was told already.
type silent struct{ error }

// Run runs one command line and returns its exit status.
func Run(ctx context.Context, env Environment) int {
	a := &app{Environment: env}
	a.home = a.findHome()
	root := a.root()
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	if a.local != nil {
		err = errors.Join(err, a.local.stop())
	}
	return a.report(err)
}

// report prints an error, in the one place where errors are printed.
func (a *app) report(err error) int {
	var quiet silent
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &quiet):
		return exitError
	case errors.As(err, &usage):
		fmt.Fprintf(a.Stderr, "Error: %v\nTry: cfy --help, or the command with --help\n", err)
		return exitUsage
	}
	if problems := problem.All(err); len(problems) > 0 {
		a.reportProblems(problems)
		return exitError
	}
	if a.json {
		var e *apiError
		o := object{"message": err.Error()}
		if errors.As(err, &e) {
			o["error_code"] = e.Code
		}
		fmt.Fprintf(a.Stderr, "%s\n", value.Encode(o))
		return exitError
	}
	fmt.Fprintf(a.Stderr, "Error: %v\n", err)
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(a.Stderr, "Try: %s\n", hint)
	}
	return exitError
}

func hintFor(err error) string {
	var e *apiError
	if !errors.As(err, &e) {
		if strings.Contains(err.Error(), "can't reach the manager") {
			return "cfy manager start, or cfy profiles use HOST"
		}
		return ""
	}
	switch e.Code {
	case "unauthorized_error":
		return "cfy profiles use HOST -u USER -p PASSWORD"
	case "existing_running_execution_error":
		return "--queue to wait for it, or --force to run beside it"
	}
	return ""
}

func (a *app) reportProblems(problems problem.List) {
	if a.json {
		v, err := value.Of(problems)
		if err == nil {
			fmt.Fprintf(a.Stderr, "%s\n", value.Encode(object{"errors": v}))
			return
		}
	}
	errorsFound := 0
	for _, p := range problems {
		fmt.Fprint(a.Stderr, p.Text())
		if !p.Warning {
			errorsFound++
		}
	}
	noun := "errors"
	if errorsFound == 1 {
		noun = "error"
	}
	fmt.Fprintf(a.Stderr, "%d %s\n", errorsFound, noun)
}

func (a *app) findHome() string {
	for _, name := range []string{"CFY_HOME", "CFY_WORKDIR"} {
		if dir := a.Getenv(name); dir != "" {
			return filepath.Join(dir, ".cloudify")
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".cloudify")
	}
	return ".cloudify-client"
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "cfy", Short: "Deploy blueprints: topologies, workflows, operations", Version: a.Version,
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("there is no command %q", args[0])}
			}
			return c.Help()
		},
		Args: cobra.ArbitraryArgs,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			switch a.format {
			case "", "plain":
			case "json":
				a.json = true
			default:
				return usageError{fmt.Errorf("--format is plain or json, not %q", a.format)}
			}
			return nil
		},
	}
	root.SetVersionTemplate("cfy {{.Version}}\n")
	flags := root.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "print JSON")
	flags.StringVar(&a.format, "format", "", "plain or json")
	flags.CountVarP(&a.verbosity, "verbose", "v", "show more; -vv also DEBUG logs")
	flags.StringVar(&a.managerAt, "manager", "", "the profile to use, instead of the current one")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		a.managerCommand(), a.profilesCommand(), a.initCommand(), a.blueprintsCommand(), a.deploymentsCommand(),
		a.executionsCommand(), a.eventsCommand(), a.nodesCommand(), a.instancesCommand(), a.workflowsCommand(),
		a.secretsCommand(), a.usersCommand(), a.tenantsCommand(), a.tokensCommand(), a.configCommand(), a.maintenanceCommand(), a.approvalsCommand(), a.pluginsCommand(), a.wardenCommand(), a.snapshotsCommand(), a.sitesCommand(), a.lspCommand(),
		a.installCommand(), a.uninstallCommand(), a.statusCommand(), a.versionCommand(),
	)
	for _, c := range root.Commands() {
		strict(c)
	}
	return root
}

// strict turns wrong numbers of arguments into usage errors, all the way down.
func strict(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// group is a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("%s has no command %q", c.CommandPath(), args[0])}
			}
			return c.Help()
		},
	}
	c.AddCommand(subs...)
	return c
}

type action func(c *cobra.Command, args []string) error

func leaf(use, short string, args cobra.PositionalArgs, run action) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: run}
}

func (a *app) say(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.Stdout, format+"\n", args...)
	}
}

func (a *app) printJSON(v any) error {
	_, err := fmt.Fprintf(a.Stdout, "%s\n", value.Encode(v))
	return err
}

// client connects to the manager of the profile in use.
func (a *app) client(ctx context.Context) (*client, error) {
	p, err := a.profile()
	if err != nil {
		return nil, err
	}
	if a.tenant != "" {
		p.Tenant = a.tenant
	}
	c := &client{header: http.Header{}, http: http.DefaultClient, base: p.url()}
	if p.isLocal() {
		if a.local == nil {
			if a.local, err = startLocal(ctx, a); err != nil {
				return nil, err
			}
		}
		p.Username, p.Password = a.local.credentials()
		c.http = &http.Client{Transport: a.local}
	}
	p.authenticate(c.header)
	return c, nil
}
