-- +goose Up
CREATE TABLE plugins_updates (
    num               INTEGER PRIMARY KEY,
    tenant            TEXT NOT NULL,
    id                TEXT NOT NULL,
    visibility        TEXT NOT NULL,
    created_by        TEXT NOT NULL,
    created_at        BIGINT NOT NULL,
    blueprint_id      TEXT NOT NULL,
    temp_blueprint_id TEXT NOT NULL,
    execution_id      TEXT NOT NULL,
    state             TEXT NOT NULL,
    forced            BOOLEAN NOT NULL,
    all_tenants       BOOLEAN NOT NULL,
    deployments       TEXT,
    UNIQUE (id, tenant)
);
CREATE INDEX plugins_updates_by_blueprint ON plugins_updates (blueprint_id, created_at);
CREATE INDEX plugins_updates_by_execution ON plugins_updates (execution_id);
CREATE INDEX plugins_updates_by_time ON plugins_updates (created_at, num);
