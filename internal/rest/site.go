package rest

import (
	"net/http"
	"strconv"
	"strings"

	"windlass/internal/access"
	"windlass/internal/store"
)

var siteShape = shape[store.Site]{name: "Site", fields: append([]field[store.Site]{
	{"name", text, func(x store.Site) any { return x.Name }},
	{"location", text, func(x store.Site) any { return orNull(x.Location) }},
	{"latitude", any_, func(x store.Site) any { return degrees(x.Location, 0) }},
	{"longitude", any_, func(x store.Site) any { return degrees(x.Location, 1) }},
	{"created_at", moment, func(x store.Site) any { return date(x.CreatedAt) }},
}, ownedFields(func(x store.Site) store.Owned { return x.Owned })...)}

var siteList = listed{
	filters: []string{"name", "location", "created_by", "tenant_name", "visibility"}, sorts: []string{"created_at"},
}

// degrees is a part of a location; null if there is none.
func degrees(location string, part int) any {
	parts := strings.Split(location, ",")
	if len(parts) != 2 {
		return nil
	}
	d, err := strconv.ParseFloat(strings.TrimSpace(parts[part]), 64)
	if err != nil {
		return nil
	}
	return d
}

// checkLocation refuses what is no place on earth.
func checkLocation(location string) error {
	latitude, longitude, two := strings.Cut(location, ",")
	if !two || strings.Contains(longitude, ",") {
		return badParameter("Invalid location `%s`, the format is expected to be \"latitude,longitude\" such as \"32.071072,34.787274\"", location)
	}
	for _, part := range []struct {
		name, text string
		limit      float64
	}{{"latitude", latitude, 90}, {"longitude", longitude, 180}} {
		d, err := strconv.ParseFloat(strings.TrimSpace(part.text), 64)
		if err != nil || !(d >= -part.limit && d <= part.limit) {
			return badParameter("Invalid %s `%s` in the location `%s`: it must be a number from -%g to %g",
				part.name, strings.TrimSpace(part.text), location, part.limit, part.limit)
		}
	}
	return nil
}

func (s *server) listSites(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, siteList)
	if err != nil {
		return err
	}
	page, err := s.Store.ListSites(r.Context(), q.Query)
	if err != nil {
		return err
	}
	return reply(w, q, siteShape, page)
}

func (s *server) visibleSite(r *request, name string) (store.Site, error) {
	site, err := s.Store.GetSite(r.Context(), r.tenant, name)
	if err != nil {
		return site, err
	}
	return site, r.sees(site.Owned, "Site", name)
}

func (s *server) getSite(w http.ResponseWriter, r *request) error {
	site, err := s.visibleSite(r, r.PathValue("name"))
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, siteShape, site)
}

func (s *server) putSite(w http.ResponseWriter, r *request) (err error) {
	site := store.Site{Name: r.PathValue("name"), Location: r.str("location")}
	if err := access.CheckName("name", site.Name, true); err != nil {
		return err
	}
	if site.Location != "" {
		if err := checkLocation(site.Location); err != nil {
			return err
		}
	}
	site.Tenant = r.tenant
	if site.Visibility, err = r.visibility(); err != nil {
		return err
	}
	if site.CreatedBy, err = r.owner("created_by", r.caller.Username); err != nil {
		return err
	}
	if site.CreatedAt, err = r.createdAt(s.Now()); err != nil {
		return err
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error { return tx.AddSite(r.Context(), site) }); err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, siteShape, site)
}

func (s *server) postSite(w http.ResponseWriter, r *request) error {
	name := r.PathValue("name")
	site, err := s.ownSite(r)
	if err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if site, err = tx.GetSite(r.Context(), site.Tenant, name); err != nil {
			return err
		}
		if r.has("location") {
			if err := checkLocation(r.str("location")); err != nil {
				return err
			}
			site.Location = r.str("location")
		}
		if r.has("visibility") {
			v, err := access.ParseVisibility(r.str("visibility"), false)
			if err == nil {
				err = r.widen(site.Name, site.Visibility, v)
			}
			if err != nil {
				return err
			}
			site.Visibility = v
		}
		if r.has("new_name") {
			if err := access.CheckName("new_name", r.str("new_name"), true); err != nil {
				return err
			}
			site.Name = r.str("new_name")
		}
		return tx.UpdateSite(r.Context(), name, site)
	})
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, siteShape, site)
}

// ownSite reads the site of the path, if the caller may change it.
func (s *server) ownSite(r *request) (store.Site, error) {
	site, err := s.visibleSite(r, r.PathValue("name"))
	if err != nil {
		return site, err
	}
	return site, r.caller.CheckChange(r.tenant, site.Owned, site.Name)
}

func (s *server) deleteSite(w http.ResponseWriter, r *request) error {
	site, err := s.ownSite(r)
	if err != nil {
		return err
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error { return tx.DeleteSite(r.Context(), site.Tenant, site.Name) }); err != nil {
		return err
	}
	return done(w)
}

// checkSite refuses a site that there is not, or that fewer may see than the
// deployment at it.
func (s *server) checkSite(r *request, name, deployment string, v store.Visibility) error {
	site, err := s.visibleSite(r, name)
	if err != nil {
		return err
	}
	if access.CheckWiden(name, v, site.Visibility) != nil {
		return fail("illegal_action_error", "The visibility of deployment `%s`: `%s` can't be wider than that of its site `%s`: `%s`",
			deployment, v, name, site.Visibility)
	}
	return nil
}

// setSite moves a deployment to a site, or away from it.
func (s *server) setSite(w http.ResponseWriter, r *request) error {
	name, detach := r.str("site_name"), r.flag("detach_site")
	if (name == "") != detach {
		return badParameter("Must provide either a `site_name` of a valid site or `detach_site` with true value for detaching the current site of the given deployment")
	}
	d, err := s.findDeployment(r)
	if err != nil {
		return err
	}
	if err := r.caller.CheckChange(r.tenant, d.Owned, d.ID); err != nil {
		return err
	}
	if name != "" {
		if err := s.checkSite(r, name, d.ID, d.Visibility); err != nil {
			return err
		}
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if d, err = tx.GetDeployment(r.Context(), d.Tenant, d.ID); err != nil {
			return err
		}
		d.SiteName = name
		return tx.UpdateDeployment(r.Context(), d)
	})
	if err != nil {
		return err
	}
	return s.replyDeployment(w, r, http.StatusOK, d)
}
