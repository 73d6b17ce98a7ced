package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"windlass/internal/value"
)

var snapshotColumns = []string{"id", "created_at", "status", "error", "visibility", "tenant_name", "created_by"}

func (a *app) snapshotsCommand() *cobra.Command {
	return group("snapshots", "Copies of everything on a manager",
		a.createSnapshotCommand(), a.restoreSnapshotCommand(), a.uploadSnapshotCommand(), a.downloadSnapshotCommand(),
		a.lister("list", "List snapshots", "/snapshots", "Snapshots:", fixed(snapshotColumns), nil, nil),
		leaf("delete ID", "Delete a snapshot", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
			a.say("Deleting snapshot %s...", args[0])
			if _, err := a.request(c, http.MethodDelete, snapshotPath(args[0]), nil); err != nil {
				return err
			}
			a.say("Snapshot deleted successfully")
			return nil
		}),
		leaf("status", "Whether a snapshot is being restored", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
			v, err := a.request(c, http.MethodGet, "/snapshot-status", nil)
			if err != nil || a.json {
				return errors.Join(err, a.jsonOf(v, err))
			}
			if o, _ := v.(object); o["status"] == "running" {
				a.say("Snapshot restore in progress... This may take a while, depending on the snapshot size")
			} else {
				a.say("No snapshot is currently being restored")
			}
			return nil
		}),
	)
}

func snapshotPath(id string) string { return "/snapshots/" + url.PathEscape(id) }

func newSnapshotID(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return "snapshot_" + uuid.NewString()[:8]
}

func (a *app) createSnapshotCommand() *cobra.Command {
	var noCredentials, noLogs, noEvents, queue, legacy, wait bool
	var tempDir string
	c := leaf("create [ID]", "Make a snapshot of everything on the manager", cobra.MaximumNArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		id := newSnapshotID(args)
		a.say("Creating snapshot %s...", id)
		body := object{
			"include_credentials": !noCredentials, "include_logs": !noLogs, "include_events": !noEvents, "queue": queue, "legacy": legacy,
		}
		if tempDir != "" {
			body["tempdir_path"] = tempDir
		}
		v, err := a.request(c, http.MethodPut, snapshotPath(id), body)
		if err != nil {
			return err
		}
		e, _ := v.(object)
		if text(e, "status") == "queued" {
			a.say("`queue` flag was passed, snapshot creation will start automatically when possible. Execution id: %s", text(e, "id"))
		} else {
			a.say("Started workflow execution. The execution's id is %s.", text(e, "id"))
		}
		if wait {
			if e, err = a.waitForSystem(c, e); err != nil {
				return fmt.Errorf("snapshot %s creation failed: %w", id, err)
			}
			a.say("Successfully created snapshot %s.", id)
		}
		return a.jsonOf(e, nil)
	}
	f := c.Flags()
	f.BoolVar(&noCredentials, "exclude-credentials", false, "leave out the keys that open secrets: a manager without them can't restore secrets")
	f.BoolVar(&noLogs, "exclude-logs", false, "leave out logs")
	f.BoolVar(&noEvents, "exclude-events", false, "leave out events")
	f.BoolVar(&queue, "queue", false, "wait until nothing else runs")
	f.BoolVar(&legacy, "legacy", false, "run alone on the manager")
	f.StringVar(&tempDir, "tempdir-path", "", "accepted for the original's scripts; the manager has a folder of its own")
	f.BoolVar(&wait, "wait", false, "wait until the snapshot is made")
	return c
}

// waitForSystem waits for an execution and gives it as it has ended; an error
// unless it succeeded.
func (a *app) waitForSystem(c *cobra.Command, e object) (object, error) {
	cl, err := a.client(c.Context())
	if err != nil {
		return nil, err
	}
	if e, err = a.follow(c.Context(), cl, text(e, "id"), 0, func(object) {}); err != nil {
		return nil, err
	}
	if status := text(e, "status"); status != "terminated" {
		return nil, fmt.Errorf("%s: %s", status, text(e, "error"))
	}
	return e, nil
}

func (a *app) restoreSnapshotCommand() *cobra.Command {
	var force, wait, certificates, noReboot, ignorePlugins bool
	c := leaf("restore ID", "Replace everything on the manager by what is in a snapshot", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		a.say("Restoring snapshot %s...", args[0])
		v, err := a.request(c, http.MethodPost, snapshotPath(args[0])+"/restore", object{
			"force": force, "restore_certificates": certificates, "no_reboot": noReboot, "ignore_plugin_failure": ignorePlugins,
		})
		if err != nil {
			return err
		}
		e, _ := v.(object)
		a.say("Started workflow execution. The execution's id is %s. You can use `cfy snapshots status` to check for the restore status.",
			text(e, "id"))
		if wait {
			done, err := a.waitForSystem(c, e)
			if hasStatus(err, http.StatusUnauthorized) { // users change when all is restored, not before
				a.say("Snapshot %s is restored. Users and passwords are those of the snapshot now: log in with cfy profiles use", args[0])
				return a.jsonOf(e, nil)
			}
			if err != nil {
				return fmt.Errorf("restoring snapshot %s: %w", args[0], err)
			}
			a.say("Snapshot %s is restored. Users and passwords are those of the snapshot now", args[0])
			e = done
		}
		return a.jsonOf(e, nil)
	}
	f := c.Flags()
	f.BoolVarP(&force, "force", "f", false, "also if there is something on the manager: all of it is replaced")
	f.BoolVar(&wait, "wait", false, "wait until it is restored")
	f.BoolVar(&certificates, "restore-certificates", false, "accepted for the original's scripts; snapshots have no certificates")
	f.BoolVar(&noReboot, "no-reboot", false, "accepted for the original's scripts; nothing is ever rebooted")
	f.BoolVar(&ignorePlugins, "ignore-plugin-failure", false, "accepted for the original's scripts; plugins are installed when they are needed")
	return c
}

func (a *app) uploadSnapshotCommand() *cobra.Command {
	var id string
	c := leaf("upload PATH|URL", "Upload a snapshot", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		if id == "" {
			id = newSnapshotID(nil)
		}
		a.say("Uploading snapshot %s...", args[0])
		var query url.Values
		var body io.Reader = http.NoBody
		if isURL(args[0]) {
			query = url.Values{"snapshot_archive_url": {args[0]}}
		} else {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer func() { _ = f.Close() }()
			body = f
		}
		res, err := cl.send(c.Context(), http.MethodPut, snapshotPath(id)+"/archive", query, body, "application/octet-stream")
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		data, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		a.say("Snapshot uploaded. The snapshot's id is %s", id)
		o, err := value.DecodeMap(data)
		return errors.Join(err, a.jsonOf(o, err))
	}
	c.Flags().StringVarP(&id, "snapshot-id", "s", "", "its id; a new one by default")
	return c
}

func (a *app) downloadSnapshotCommand() *cobra.Command {
	// It may have the keys of all secrets in it.
	return a.download("Snapshot", "Download a snapshot", 0o600, func(id string) string { return snapshotPath(id) + "/archive" })
}
