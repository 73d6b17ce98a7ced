-- +goose Up
CREATE TABLE deployment_groups (
    num                 INTEGER PRIMARY KEY,
    tenant              TEXT NOT NULL,
    id                  TEXT NOT NULL,
    visibility          TEXT NOT NULL,
    created_by          TEXT NOT NULL,
    created_at          BIGINT NOT NULL,
    description         TEXT NOT NULL,
    blueprint_id        TEXT NOT NULL,
    default_inputs      TEXT,
    creation_counter    INTEGER NOT NULL,
    labels              TEXT,
    UNIQUE (id, tenant)
);
CREATE TABLE deployment_group_members (
    tenant              TEXT NOT NULL,
    group_id            TEXT NOT NULL,
    deployment_id       TEXT NOT NULL,
    PRIMARY KEY (tenant, group_id, deployment_id)
);
CREATE INDEX deployment_group_members_by_deployment ON deployment_group_members (deployment_id, tenant);
CREATE TABLE execution_groups (
    num                 INTEGER PRIMARY KEY,
    tenant              TEXT NOT NULL,
    id                  TEXT NOT NULL,
    visibility          TEXT NOT NULL,
    created_by          TEXT NOT NULL,
    created_at          BIGINT NOT NULL,
    deployment_group_id TEXT NOT NULL,
    workflow_id         TEXT NOT NULL,
    concurrency         INTEGER NOT NULL,
    success_group_id    TEXT NOT NULL,
    failure_group_id    TEXT NOT NULL,
    UNIQUE (id, tenant)
);
ALTER TABLE executions ADD COLUMN group_id TEXT NOT NULL DEFAULT '';
CREATE INDEX executions_by_group ON executions (group_id, created_at) WHERE group_id <> '';
