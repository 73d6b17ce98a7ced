package rest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"windlass/internal/store"
)

// troubled is a store whose database had trouble.
type troubled struct {
	store.Store
	last store.Trouble
}

func (s *troubled) Trouble() store.Trouble { return s.last }

func TestStatusTellsOfTrouble(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		trouble  store.Trouble
		free     int64
		status   string
		database string
		problem  string // "" for none
	}{
		{"all is well", store.Trouble{}, 1 << 40, "OK", "Active", ""},
		{"the disk is full", store.Trouble{Err: store.ErrFull, At: time.Now()}, 0, "Fail", "Inactive", "the disk of the database is full"},
		{"it was", store.Trouble{Err: store.ErrFull, At: time.Now().Add(-time.Minute), IsOver: true}, 1 << 40, "OK", "Active", "has taken others since"},
		{"it was long ago", store.Trouble{Err: store.ErrFull, At: time.Now().Add(-time.Hour), IsOver: true}, 1 << 40, "OK", "Active", ""},
		{"it will be soon", store.Trouble{}, 100e6, "OK", "Active", "only 100 MB left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, func(cfg *Config) {
				cfg.Store = &troubled{cfg.Store, tt.trouble}
				cfg.Disk = func() (Disk, error) { return Disk{Free: tt.free, Total: 2 << 40}, nil }
			})
			s := a.get("/status").is(http.StatusOK).object()
			database, _ := s["services"].(object)["Database (sqlite)"].(object)
			if s["status"] != tt.status || database["status"] != tt.database {
				t.Errorf("the status is %v, the database's %v, want %s and %s", s["status"], database["status"], tt.status, tt.database)
			}
			problems, _ := s["problems"].([]any)
			text := ""
			for _, p := range problems {
				text += p.(string) + "\n"
			}
			if (tt.problem == "") != (text == "") || !strings.Contains(text, tt.problem) {
				t.Errorf("the problems are %q, want %q", text, tt.problem)
			}
			if s["storage"].(object)["disk_free_bytes"] != tt.free {
				t.Errorf("the storage is %v", s["storage"])
			}
			if got := a.get("/status?summary=true").object()["status"]; got != tt.status {
				t.Errorf("in short it is %v, want %s", got, tt.status)
			}
		})
	}
}
