package rest

import "net/http"

var managerShape = shape[*server]{name: "Manager", fields: []field[*server]{
	{"id", integer, func(*server) any { return 1 }},
	{"hostname", text, func(s *server) any { return s.Host }},
	{"private_ip", text, func(s *server) any { return s.Address }},
	{"public_ip", text, func(s *server) any { return s.Address }},
	{"version", text, func(s *server) any { return s.Version }},
	{"edition", text, func(*server) any { return "community" }},
	{"distribution", text, func(*server) any { return nil }},
	{"distro_release", text, func(*server) any { return nil }},
	{"fs_sync_node_id", text, func(*server) any { return nil }},
	{"networks", dict, func(s *server) any { return object{"default": s.Address} }},
	{"ca_cert_content", text, func(*server) any { return nil }},
	{"last_seen", moment, func(s *server) any { return date(s.Now()) }},
	{"status_report_frequency", integer, func(*server) any { return 0 }},
}}

// compatibleVersion is the version of the original that the API is like. Plugins
// look at it to decide what they may ask for.
const compatibleVersion = "7.0.5"

func (s *server) getVersion(w http.ResponseWriter, _ *request) error {
	return ok(w, object{
		"edition": "community", "version": compatibleVersion, "windlass": s.Version, "build": nil, "date": nil, "commit": nil,
		"distribution": nil, "distro_release": nil,
	})
}

func (s *server) getOK(w http.ResponseWriter, r *request) error {
	if _, err := s.Store.ListSettings(r.Context()); err != nil {
		s.log.ErrorContext(r.Context(), "the store does not answer", "error", err)
		writeJSON(w, http.StatusInternalServerError, "FAIL")
		return nil
	}
	return ok(w, "OK")
}

func (s *server) listManagers(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, listed{global: true})
	if err != nil {
		return err
	}
	var hosts []*server
	if name := r.query.Get("hostname"); name == "" || name == s.Host {
		hosts = append(hosts, s)
	}
	return reply(w, q, managerShape, slicePage(hosts, q))
}

func (s *server) listBrokers(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, listed{global: true})
	if err != nil {
		return err
	}
	return ok(w, q.envelope([]any{object{
		"name": s.Host, "host": s.Address, "management_host": s.Address, "port": 0, "username": nil, "password": nil,
		"params": object{}, "ca_cert_content": nil, "networks": object{"default": s.Address}, "is_external": false,
	}}, 1, nil))
}

func (s *server) listDBNodes(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, listed{global: true})
	if err != nil {
		return err
	}
	return ok(w, q.envelope([]any{object{"name": s.Host, "host": s.Address, "is_external": false}}, 1, nil))
}

func (s *server) getClusterStatus(w http.ResponseWriter, r *request) error {
	summary, err := r.queryFlag("summary", false)
	if err != nil {
		return err
	}
	services := object{}
	if !summary {
		for _, name := range []string{"manager", "db", "broker"} {
			services[name] = object{"status": "OK", "is_external": false, "nodes": object{
				s.Host: object{"status": "OK", "version": s.Version, "private_ip": s.Address, "public_ip": s.Address, "services": object{}},
			}}
		}
	}
	return ok(w, object{"status": "OK", "services": services})
}

func (s *server) checkLicense(w http.ResponseWriter, _ *request) error { return ok(w, "OK") }

func (s *server) getIDP(w http.ResponseWriter, _ *request) error { return ok(w, "local") }

func (s *server) getLDAP(w http.ResponseWriter, _ *request) error { return ok(w, "disabled") }

// emptyList answers lists of things that this manager has none of.
func (s *server) emptyList(w http.ResponseWriter, r *request) error {
	l := listing{size: pageSize}
	if err := l.readPage(r); err != nil {
		return err
	}
	return ok(w, l.envelope(nil, 0, nil))
}
