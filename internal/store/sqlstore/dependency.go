package sqlstore

import (
	"context"

	"windlass/internal/store"
)

var dependencyColumns = columnsOf([]string{"tenant", "source_deployment", "dependency_creator", "id"}, ownedColumns, []string{
	"target_deployment", "target_func", "external_source", "external_target",
})

func dependencyValues(d store.Dependency) []any {
	return append(append([]any{d.Tenant, d.SourceDeployment, d.Creator, d.ID}, ownedValues(d.Owned)...),
		d.TargetDeployment, valueArg(d.TargetFunc), mapArg(d.ExternalSource), mapArg(d.ExternalTarget))
}

var dependencies = view[store.Dependency]{
	listing: &listing{
		kind: "InterDeploymentDependencies", from: "dependencies t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":                   {expr: "t.id"},
			"dependency_creator":   {expr: "t.dependency_creator"},
			"source_deployment_id": {expr: "t.source_deployment"},
			"target_deployment_id": {expr: "t.target_deployment"},
			"created_at":           {expr: "t.created_at", kind: instant},
		}),
		order: byCreation,
	},
	from: "dependencies t", columns: qualified("t", dependencyColumns),
	targets: func(d *store.Dependency) []any {
		return append(append([]any{&d.Tenant, &d.SourceDeployment, &d.Creator, &d.ID}, ownedTargets(&d.Owned)...),
			&d.TargetDeployment, valueCell{&d.TargetFunc}, mapCell{&d.ExternalSource}, mapCell{&d.ExternalTarget})
	},
}

// GetDependency reads a dependency by its source and creator.
func (r Reader) GetDependency(ctx context.Context, tenant, source, creator string) (store.Dependency, error) {
	return pick(ctx, r, dependencies, creator, "t.source_deployment = ? AND t.dependency_creator = ? AND t.tenant = ?", source, creator, tenant)
}

// ListDependencies lists dependencies.
func (r Reader) ListDependencies(ctx context.Context, q store.Query) (store.Page[store.Dependency], error) {
	return page(ctx, r, dependencies, q)
}

// PutDependency adds or replaces a dependency.
func (t *Tx) PutDependency(ctx context.Context, d store.Dependency) (store.Dependency, error) {
	added, err := insert(ctx, t.conn, "dependencies", dependencyColumns, dependencyValues(d))
	if err != nil || added {
		return d, err
	}
	before, err := t.GetDependency(ctx, d.Tenant, d.SourceDeployment, d.Creator)
	if err != nil { // the id is that of another
		return d, recordError("InterDeploymentDependencies", d.ID, store.ErrExists)
	}
	d.ID, d.CreatedAt = before.ID, before.CreatedAt
	_, err = t.conn.Exec(ctx, updateStatement("dependencies", dependencyColumns[4:], "id = ?"), append(dependencyValues(d)[4:], d.ID)...)
	return d, err
}

// DeleteDependency removes a dependency, or gives ErrNotFound.
func (t *Tx) DeleteDependency(ctx context.Context, tenant, id string) error {
	n, err := t.conn.Exec(ctx, "DELETE FROM dependencies WHERE tenant = ? AND id = ?", tenant, id)
	return one(n, err, "InterDeploymentDependencies", id, store.ErrNotFound)
}

// forgetDependencies takes a deployment that goes out of all dependencies.
func (t *Tx) forgetDependencies(ctx context.Context, tenant, deployment string) error {
	if _, err := t.conn.Exec(ctx, "DELETE FROM dependencies WHERE source_deployment = ? AND tenant = ?", deployment, tenant); err != nil {
		return err
	}
	_, err := t.conn.Exec(ctx, "UPDATE dependencies SET target_deployment = '' WHERE target_deployment = ? AND tenant = ?", deployment, tenant)
	return err
}
