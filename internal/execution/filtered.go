package execution

import (
	"errors"
	"fmt"

	"windlass/internal/store"
	"windlass/internal/value"
)

// passes tells whether a blueprint or deployment meets the stored filter that a
// filter_id constraint names, nil for none. A filter that there is not is an error.
func (o objects) passes(kind, id string, labels []store.Label, written any) (bool, error) {
	if written == nil {
		return true, nil
	}
	name, tenant := value.Text(written), o.deployment.Tenant
	filter, ok := store.SystemFilter(tenant, kind, name)
	if !ok {
		var err error
		filter, err = o.reader.GetFilter(o.ctx, tenant, kind, name)
		if errors.Is(err, store.ErrNotFound) {
			return false, fmt.Errorf("filter %s does not exist", name)
		} else if err != nil {
			return false, fmt.Errorf("read filter %s: %w", name, err)
		}
	}
	q := store.Query{Tenants: []string{tenant}, Limit: 1, Filters: []store.Filter{{Field: "id", Values: []string{id}}}}
	for _, r := range store.StoredRules(filter) {
		switch {
		case r.OnLabel:
			if !r.Matches(labels) {
				return false, nil
			}
		case r.Key == "schedules":
			if has, err := o.hasSchedule(id); err != nil || !has {
				return false, err
			}
		default:
			q.Filters = append(q.Filters, r.Filter())
		}
	}
	if len(q.Filters) == 1 {
		return true, nil
	}
	if kind == store.FilterBlueprints {
		found, err := o.reader.ListBlueprints(o.ctx, q)
		return len(found.Items) > 0, err
	}
	found, err := o.reader.ListDeployments(o.ctx, q)
	return len(found.Items) > 0, err
}

// hasSchedule tells whether there is any schedule for the deployment.
func (o objects) hasSchedule(deployment string) (bool, error) {
	found, err := o.reader.ListSchedules(o.ctx, store.Query{Tenants: []string{o.deployment.Tenant}, Limit: 1, Filters: []store.Filter{
		{Field: "deployment_id", Values: []string{deployment}},
	}})
	return len(found.Items) > 0, err
}
