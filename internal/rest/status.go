package rest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"windlass/internal/execution"
	"windlass/internal/store"
)

// What is worth telling of the manager's health.
const (
	recently    = 10 * time.Minute // how long trouble is told of after it is over
	littleRoom  = 256 << 20        // bytes left on the disk, below which it is full soon
	overdue     = time.Minute      // a scheduled start that is later than this
	unclaimable = time.Minute      // how long a new execution may wait for a manager
)

// Disk is the room where a manager keeps its data, in bytes.
type Disk struct{ Free, Total int64 }

// getStatus tells whether the manager works: it does if the store answers, and
// takes what is written.
func (s *server) getStatus(w http.ResponseWriter, r *request) error {
	summary, err := r.queryFlag("summary", false)
	if err != nil {
		return err
	}
	status, database, engine := "OK", "Active", "Active"
	problems := []any{}
	switch trouble := s.trouble(); {
	case !s.answers(r):
		database = "Inactive"
		problems = append(problems, "The database does not answer; the manager's log says why")
	case trouble.Err != nil && !trouble.IsOver:
		database = "Inactive"
		problems = append(problems, fmt.Sprintf("The database took no write at %s: %s", date(trouble.At), trouble.Err))
	case trouble.Err != nil && time.Since(trouble.At) < recently:
		problems = append(problems, fmt.Sprintf("The database refused a write at %s, and has taken others since: %s", date(trouble.At), trouble.Err))
	}
	if database != "Active" {
		status, engine = "Fail", "Inactive" // which does nothing without it
	}
	if summary {
		return ok(w, object{"status": status, "services": object{}})
	}
	services := object{}
	for name, state := range map[string]string{"Manager": "Active", "Workflow engine": engine, "Database (" + s.Store.Dialect() + ")": database} {
		services[name] = object{"status": state, "is_remote": false, "extra_info": object{}}
	}
	body := object{"status": status, "services": services, "storage": s.storage(r)}
	if disk, err := s.disk(); err == nil {
		body["storage"].(object)["disk_free_bytes"], body["storage"].(object)["disk_bytes"] = disk.Free, disk.Total
		if disk.Free < littleRoom {
			problems = append(problems, fmt.Sprintf("The disk with the manager's data has only %.0f MB left: make room on it", float64(disk.Free)/1e6))
		}
	}
	if database == "Active" {
		work, held := s.work(r)
		body["executions"], problems = work, append(problems, held...)
	}
	body["problems"] = problems
	return ok(w, body)
}

// answers tells whether the store can be read.
func (s *server) answers(r *request) bool {
	_, err := s.Store.ListSettings(r.Context())
	if err != nil {
		s.log.ErrorContext(r.Context(), "the store does not answer", "error", err)
	}
	return err == nil
}

func (s *server) trouble() store.Trouble {
	if reporter, does := s.Store.(store.Reporter); does {
		return reporter.Trouble()
	}
	return store.Trouble{}
}

func (s *server) disk() (Disk, error) {
	if s.Disk == nil {
		return Disk{}, http.ErrNotSupported
	}
	return s.Disk()
}

// storage tells how much is kept; what can't be found out is null.
func (s *server) storage(r *request) object {
	sizes := object{"database_bytes": nil, "executions": nil, "events": nil}
	if n, err := s.Store.Size(r.Context()); err == nil {
		sizes["database_bytes"] = n
	}
	if page, err := s.Store.ListExecutions(r.Context(), store.Query{Limit: 1}); err == nil {
		sizes["executions"] = int64(page.Total)
	}
	if page, err := s.Store.ListEvents(r.Context(), store.Query{Limit: 1}); err == nil {
		sizes["events"] = int64(page.Total)
	}
	return sizes
}

// work counts what runs and waits, and tells what does not go on as it should.
// What can't be found out is left out.
func (s *server) work(r *request) (counts object, problems []any) {
	counts = object{}
	count := func(filters ...store.Filter) (int, bool) {
		page, err := s.Store.ListExecutions(r.Context(), store.Query{Limit: 1, Filters: filters})
		return page.Total, err == nil
	}
	statuses := func(some ...store.Status) store.Filter {
		f := store.Filter{Field: "status"}
		for _, status := range some {
			f.Values = append(f.Values, string(status))
		}
		return f
	}
	running := statuses(store.Started, store.Cancelling, store.ForceCancelling, store.KillCancelling)
	for name, filter := range map[string]store.Filter{"pending": statuses(store.Pending), "running": running, "queued": statuses(store.Queued)} {
		if n, told := count(filter); told {
			counts[name] = int64(n)
		}
	}
	m, err := s.Executions.Maintenance(r.Context())
	if err == nil && m.Status != execution.MaintenanceOff {
		return counts, []any{fmt.Sprintf("Maintenance mode is %s: nothing is started", m.Status)}
	}
	before := s.Now().Add(-unclaimable).UTC().Format(time.RFC3339Nano)
	if n, told := count(statuses(store.Pending), store.Filter{Field: "created_at", Op: store.Below, Values: []string{before}}, store.Filter{
		Field: "resume", Values: []string{strconv.FormatBool(false)},
	}, store.Filter{Field: "queued_at", Op: store.IsNull}); told && n > 0 {
		problems = append(problems, fmt.Sprintf("%d executions have waited for a manager to take them up for more than %s", n, unclaimable))
	}
	next, err := s.Store.NextDue(r.Context())
	if late := s.Now().Sub(next); err == nil && !next.IsZero() && late > overdue {
		problems = append(problems, fmt.Sprintf("A scheduled start is %s late", late.Round(time.Second)))
	}
	return counts, problems
}
