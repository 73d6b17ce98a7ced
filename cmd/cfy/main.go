// Command cfy is Windlass: the manager, the command line that talks to it, and
// the ctx command of scripts.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"windlass/internal/cli"
	"windlass/internal/ctxcli"
)

// version is set when the program is linked.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if filepath.Base(args[0]) == "ctx" {
		return ctxcli.Main(ctx, args[1:], os.Environ(), stdout, stderr)
	}
	if len(args) > 1 && args[1] == "ctx" {
		return ctxcli.Main(ctx, args[2:], os.Environ(), stdout, stderr)
	}
	return cli.Run(ctx, cli.Environment{
		Args: args[1:], Stdin: stdin, Stdout: stdout, Stderr: stderr, Getenv: os.Getenv, Version: version,
	})
}
