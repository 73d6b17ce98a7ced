-- +goose Up
CREATE TABLE deployment_updates (
    num              INTEGER PRIMARY KEY,
    tenant           TEXT NOT NULL,
    id               TEXT NOT NULL,
    visibility       TEXT NOT NULL,
    created_by       TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    deployment_id    TEXT NOT NULL,
    execution_id     TEXT NOT NULL,
    old_blueprint_id TEXT NOT NULL,
    new_blueprint_id TEXT NOT NULL,
    state            TEXT NOT NULL,
    runtime_only     BOOLEAN NOT NULL,
    old_inputs       TEXT,
    new_inputs       TEXT,
    details          TEXT,
    UNIQUE (id, tenant)
);
CREATE INDEX deployment_updates_by_deployment ON deployment_updates (deployment_id, created_at);
CREATE INDEX deployment_updates_by_execution ON deployment_updates (execution_id);
CREATE INDEX deployment_updates_by_time ON deployment_updates (created_at, num);
