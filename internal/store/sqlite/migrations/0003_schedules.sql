-- +goose Up
CREATE TABLE execution_schedules (
    num                 INTEGER PRIMARY KEY,
    tenant              TEXT NOT NULL,
    deployment_id       TEXT NOT NULL,
    id                  TEXT NOT NULL,
    visibility          TEXT NOT NULL,
    created_by          TEXT NOT NULL,
    created_at          BIGINT NOT NULL,
    workflow_id         TEXT NOT NULL,
    parameters          TEXT,
    arguments           TEXT,
    rule                TEXT,
    since               BIGINT NOT NULL,
    until               BIGINT,
    time_zone           TEXT NOT NULL,
    slip                INTEGER NOT NULL,
    stop_on_fail        BOOLEAN NOT NULL,
    enabled             BOOLEAN NOT NULL,
    next_occurrence     BIGINT,
    latest_execution_id TEXT NOT NULL,
    UNIQUE (tenant, deployment_id, id)
);
CREATE INDEX execution_schedules_due ON execution_schedules (next_occurrence) WHERE enabled;
CREATE INDEX execution_schedules_by_deployment ON execution_schedules (deployment_id, created_at);
