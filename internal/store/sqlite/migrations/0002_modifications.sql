-- +goose Up
CREATE TABLE deployment_modifications (
    num            INTEGER PRIMARY KEY,
    tenant         TEXT NOT NULL,
    id             TEXT NOT NULL,
    visibility     TEXT NOT NULL,
    created_by     TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    deployment_id  TEXT NOT NULL,
    execution_id   TEXT NOT NULL,
    status         TEXT NOT NULL,
    ended_at       BIGINT,
    context        TEXT,
    modified_nodes TEXT,
    node_instances TEXT,
    UNIQUE (id, tenant)
);
CREATE INDEX deployment_modifications_by_deployment ON deployment_modifications (deployment_id, created_at);
