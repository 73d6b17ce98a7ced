-- +goose Up
CREATE TABLE execution_schedules (
    num                 BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant              TEXT COLLATE "C" NOT NULL,
    deployment_id       TEXT COLLATE "C" NOT NULL,
    id                  TEXT COLLATE "C" NOT NULL,
    visibility          TEXT COLLATE "C" NOT NULL,
    created_by          TEXT COLLATE "C" NOT NULL,
    created_at          BIGINT NOT NULL,
    workflow_id         TEXT COLLATE "C" NOT NULL,
    parameters          TEXT COLLATE "C",
    arguments           TEXT COLLATE "C",
    rule                TEXT COLLATE "C",
    since               BIGINT NOT NULL,
    until               BIGINT,
    time_zone           TEXT COLLATE "C" NOT NULL,
    slip                INTEGER NOT NULL,
    stop_on_fail        BOOLEAN NOT NULL,
    enabled             BOOLEAN NOT NULL,
    next_occurrence     BIGINT,
    latest_execution_id TEXT COLLATE "C" NOT NULL,
    UNIQUE (tenant, deployment_id, id)
);
CREATE INDEX execution_schedules_due ON execution_schedules (next_occurrence) WHERE enabled;
CREATE INDEX execution_schedules_by_deployment ON execution_schedules (deployment_id, created_at);
