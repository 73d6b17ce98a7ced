package execution

import (
	"context"
	"fmt"
	"slices"
	"time"

	"windlass/internal/execution/recurrence"
	"windlass/internal/store"
)

// What is made up for of the times that a schedule missed, because no manager
// ran or maintenance was on, by more than its slip allows.
const (
	CatchUpSkip = "skip" // nothing: as in the original
	CatchUpOnce = "once" // one execution for all of them
	CatchUpAll  = "all"  // one for each, queued one after the other
)

// CatchUpSetting names the setting that holds for schedules without a policy
// of their own.
const CatchUpSetting = "schedule_catch_up"

// mostMissed bounds what CatchUpAll starts at once.
const mostMissed = 100

// IsCatchUp tells whether there is such a policy.
func IsCatchUp(policy string) bool {
	return slices.Contains([]string{CatchUpSkip, CatchUpOnce, CatchUpAll}, policy)
}

// catchUp starts what the schedule's policy wants of the times from was to now,
// and returns the id of its latest execution.
func (s *Service) catchUp(ctx context.Context, tx store.Tx, sc store.Schedule, times *recurrence.Times, was, now time.Time) (string, error) {
	policy := sc.CatchUp
	if policy == "" {
		var err error
		if policy, err = textSetting(ctx, tx, CatchUpSetting, CatchUpSkip); err != nil {
			return "", err
		}
	}
	count := 0
	switch policy {
	case CatchUpOnce:
		count = 1
	case CatchUpAll:
		count = 1
		for _, at := range times.After(was, mostMissed-1) {
			if !at.After(now) {
				count++
			}
		}
	}
	for range count {
		id, err := s.startFor(ctx, tx, sc)
		if err != nil {
			return "", err
		}
		sc.LatestExecutionID = id
	}
	return sc.LatestExecutionID, nil
}

// textSetting reads a text from the manager's settings.
func textSetting(ctx context.Context, r store.Reader, name, otherwise string) (string, error) {
	settings, err := r.ListSettings(ctx)
	if err != nil {
		return "", fmt.Errorf("read setting %s: %w", name, err)
	}
	for _, setting := range settings {
		if text, ok := setting.Value.(string); ok && setting.Name == name {
			return text, nil
		}
	}
	return otherwise, nil
}
