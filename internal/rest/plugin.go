package rest

import "net/http"

func (s *server) refusePlugins(http.ResponseWriter, *request) error {
	return notYet("Uploading a plugin")
}

func (s *server) missingPlugin(_ http.ResponseWriter, r *request) error {
	return notFound("Plugin", r.PathValue("id"))
}
