package cli

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"
)

const (
	localName     = "local"
	defaultTenant = "default_tenant"
	defaultPort   = 5380
)

// profile says how to reach one manager.
type profile struct {
	Name     string `json:"name"`
	Host     string `json:"manager_ip"`
	Port     int    `json:"rest_port"`
	SSL      bool   `json:"ssl"`
	Username string `json:"manager_username"`
	Password string `json:"manager_password,omitempty"`
	Token    string `json:"manager_token,omitempty"`
	Tenant   string `json:"manager_tenant"`
}

func (p profile) isLocal() bool { return p.Name == localName }

func (p profile) url() string {
	scheme := "http"
	if p.SSL {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s:%d", scheme, p.Host, p.Port)
}

func (p profile) authenticate(h http.Header) {
	if p.Token != "" {
		h.Set("Authentication-Token", p.Token)
	} else if p.Username != "" {
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(p.Username+":"+p.Password)))
	}
	if p.Tenant == "" {
		p.Tenant = defaultTenant
	}
	h.Set("Tenant", p.Tenant)
}

func (a *app) profileFile(name string) string {
	return filepath.Join(a.home, "profiles", name+".json")
}

func (a *app) currentFile() string { return filepath.Join(a.home, "current") }

// profile is the one in use: named by --manager, else the current one, else
// the local profile.
func (a *app) profile() (profile, error) {
	name := a.managerAt
	if name == "" {
		data, err := os.ReadFile(a.currentFile())
		if errors.Is(err, fs.ErrNotExist) {
			return profile{Name: localName, Host: localName}, nil
		}
		if err != nil {
			return profile{}, fmt.Errorf("find the current profile: %w", err)
		}
		name = strings.TrimSpace(string(data))
	}
	if name == localName {
		return profile{Name: localName, Host: localName}, nil
	}
	return a.readProfile(name)
}

func (a *app) readProfile(name string) (profile, error) {
	data, err := os.ReadFile(a.profileFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return profile{}, fmt.Errorf("there is no profile %q: make one with `cfy profiles use HOST`", name)
	}
	if err != nil {
		return profile{}, fmt.Errorf("read profile %s: %w", name, err)
	}
	var p profile
	if err := json.Unmarshal(data, &p); err != nil {
		return profile{}, fmt.Errorf("read profile %s: %w", name, err)
	}
	return p, nil
}

// saveProfile stores the profile for its owner only.
func (a *app) saveProfile(p profile, use bool) error {
	file := a.profileFile(p.Name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("save profile: %w", err)
	}
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := writePrivate(file, data); err != nil {
		return fmt.Errorf("save profile: %w", err)
	}
	if !use {
		return nil
	}
	return writePrivate(a.currentFile(), []byte(p.Name+"\n"))
}

// writePrivate replaces a file as a whole.
func writePrivate(file string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return os.Rename(tmp.Name(), file)
}

func (a *app) profilesCommand() *cobra.Command {
	var p profile
	use := leaf("use HOST|local", "Use a manager, or this machine without one", cobra.ExactArgs(1),
		func(c *cobra.Command, args []string) error { return a.useProfile(c, args[0], p) })
	use.Flags().StringVarP(&p.Username, "manager-username", "u", "", "user name")
	use.Flags().StringVarP(&p.Password, "manager-password", "p", "", "password")
	use.Flags().StringVarP(&p.Tenant, "manager-tenant", "t", "", "tenant")
	use.Flags().StringVar(&p.Token, "manager-token", "", "API token, instead of a password")
	use.Flags().StringVar(&p.Name, "profile-name", "", "name of the profile; the host by default")
	use.Flags().IntVar(&p.Port, "rest-port", 0, "port of the REST API")
	use.Flags().BoolVar(&p.SSL, "ssl", false, "use https")
	return group("profiles", "How to reach managers",
		use,
		leaf("list", "List the profiles", cobra.NoArgs, func(*cobra.Command, []string) error { return a.listProfiles() }),
		leaf("show-current", "Show the profile in use", cobra.NoArgs, func(*cobra.Command, []string) error {
			p, err := a.profile()
			if err != nil {
				return err
			}
			return a.table("Active profile:", profileColumns, []object{describeProfile(p)})
		}),
		leaf("delete NAME", "Delete a profile", cobra.ExactArgs(1), func(_ *cobra.Command, args []string) error {
			if err := os.Remove(a.profileFile(args[0])); err != nil {
				return fmt.Errorf("delete profile %s: %w", args[0], err)
			}
			a.say("Deleted profile: %q", args[0])
			return nil
		}),
	)
}

func (a *app) useProfile(c *cobra.Command, host string, p profile) error {
	if host == localName {
		if err := os.MkdirAll(a.home, 0o700); err != nil {
			return err
		}
		if err := writePrivate(a.currentFile(), []byte(localName+"\n")); err != nil {
			return err
		}
		a.say("Using local environment...")
		return nil
	}
	if p.Name == "" {
		p.Name = host
	}
	if old, err := a.readProfile(p.Name); err == nil {
		p = old.overlaid(p)
	}
	p.Host = host
	if h, port, ok := strings.Cut(host, ":"); ok {
		p.Host = h
		if _, err := fmt.Sscanf(port, "%d", &p.Port); err != nil {
			return usageError{fmt.Errorf("%q is not a port", port)}
		}
	}
	if p.Port == 0 {
		p.Port = defaultPort
	}
	if p.Tenant == "" {
		p.Tenant = defaultTenant
	}
	a.say("Attempting to connect to %s through port %d, using %s (SSL mode: %v)...", p.Host, p.Port, strings.SplitN(p.url(), ":", 2)[0], p.SSL)
	cl := &client{base: p.url(), header: http.Header{}, http: http.DefaultClient}
	p.authenticate(cl.header)
	if _, err := cl.get(c.Context(), "/status", nil); err != nil {
		return err
	}
	if err := a.saveProfile(p, true); err != nil {
		return err
	}
	a.say("Using manager %s with port %d", p.Host, p.Port)
	return nil
}

// overlaid is the profile with what q sets.
func (p profile) overlaid(q profile) profile {
	if q.Username != "" || q.Token != "" {
		p.Username, p.Password, p.Token = q.Username, q.Password, q.Token
	} else if q.Password != "" {
		p.Password, p.Token = q.Password, ""
	}
	if q.Tenant != "" {
		p.Tenant = q.Tenant
	}
	if q.Port != 0 {
		p.Port = q.Port
	}
	p.SSL = p.SSL || q.SSL
	return p
}

var profileColumns = []string{"name", "manager_ip", "manager_username", "manager_tenant", "rest_port", "rest_protocol"}

func describeProfile(p profile) object {
	o := object{"name": p.Name, "manager_ip": p.Host, "manager_username": p.Username, "manager_tenant": p.Tenant,
		"rest_port": int64(p.Port), "rest_protocol": "http"}
	if p.SSL {
		o["rest_protocol"] = "https"
	}
	if p.isLocal() {
		o["rest_port"], o["rest_protocol"] = nil, nil
	}
	return o
}

func (a *app) listProfiles() error {
	files, err := filepath.Glob(a.profileFile("*"))
	if err != nil {
		return err
	}
	sort.Strings(files)
	current, err := a.profile()
	if err != nil {
		return err
	}
	list := []object{}
	for _, f := range files {
		p, err := a.readProfile(strings.TrimSuffix(filepath.Base(f), ".json"))
		if err != nil {
			return err
		}
		o := describeProfile(p)
		if p.Name == current.Name && !a.json {
			o["name"] = "*" + p.Name
		}
		list = append(list, o)
	}
	return a.table("Profiles:", profileColumns, list)
}
