package cli

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) maintenanceCommand() *cobra.Command {
	return group("maintenance-mode", "Keep the manager from starting anything",
		a.activateMaintenanceCommand(),
		leaf("deactivate", "Let the manager work again", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
			if _, err := a.request(c, http.MethodPost, "/maintenance/deactivate", nil); err != nil {
				return notModified(err, "maintenance mode is off already")
			}
			a.say("Maintenance mode is off: executions that were waiting start")
			return nil
		}),
		leaf("status", "Tell whether maintenance mode is on, and what it waits for", cobra.NoArgs, func(c *cobra.Command, _ []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			m, err := cl.get(c.Context(), "/maintenance", nil)
			if err != nil {
				return err
			}
			return a.showMaintenance(m)
		}),
	)
}

func (a *app) showMaintenance(m object) error {
	if a.json {
		return a.printJSON(m)
	}
	if err := a.details("Maintenance mode:", []string{"status", "activation_requested_at", "activated_at", "requested_by"}, m); err != nil {
		return err
	}
	raw, _ := m["remaining_executions"].([]any)
	var rows []object
	for _, r := range raw {
		if o, ok := r.(object); ok {
			rows = append(rows, o)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return a.table("Remaining executions:", []string{"id", "deployment_id", "workflow_id", "status"}, rows)
}

func (a *app) activateMaintenanceCommand() *cobra.Command {
	var wait bool
	var timeout int
	c := leaf("activate", "Start nothing more; what runs goes on", cobra.NoArgs, nil)
	c.RunE = func(c *cobra.Command, _ []string) error {
		v, err := a.request(c, http.MethodPost, "/maintenance/activate", nil)
		if err != nil {
			return notModified(err, "maintenance mode is on already")
		}
		m, _ := v.(object)
		if m["status"] == "activated" || !wait {
			return a.showMaintenance(m)
		}
		a.say("Waiting for running executions to end...")
		return a.waitForMaintenance(c, time.Duration(timeout)*time.Second)
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until nothing runs any more")
	c.Flags().IntVar(&timeout, "timeout", 0, "seconds to wait at most; 0 for no limit")
	return c
}

func (a *app) waitForMaintenance(c *cobra.Command, timeout time.Duration) error {
	cl, err := a.client(c.Context())
	if err != nil {
		return err
	}
	var over <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		over = timer.C
	}
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		m, err := cl.get(c.Context(), "/maintenance", nil)
		if err != nil || m["status"] != "activating" {
			if err == nil {
				err = a.showMaintenance(m)
			}
			return err
		}
		select {
		case <-look.C:
		case <-over:
			return fmt.Errorf("executions still run after %s; maintenance mode comes when they have ended", timeout)
		case <-c.Context().Done():
			return c.Context().Err()
		}
	}
}

// notModified words the answer that nothing was to be changed.
func notModified(err error, text string) error {
	if hasStatus(err, http.StatusNotModified) {
		return fmt.Errorf("%s", text)
	}
	return err
}
