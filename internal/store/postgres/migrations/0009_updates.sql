-- +goose Up
CREATE TABLE deployment_updates (
    num              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant           TEXT COLLATE "C" NOT NULL,
    id               TEXT COLLATE "C" NOT NULL,
    visibility       TEXT COLLATE "C" NOT NULL,
    created_by       TEXT COLLATE "C" NOT NULL,
    created_at       BIGINT NOT NULL,
    deployment_id    TEXT COLLATE "C" NOT NULL,
    execution_id     TEXT COLLATE "C" NOT NULL,
    old_blueprint_id TEXT COLLATE "C" NOT NULL,
    new_blueprint_id TEXT COLLATE "C" NOT NULL,
    state            TEXT COLLATE "C" NOT NULL,
    runtime_only     BOOLEAN NOT NULL,
    old_inputs       TEXT COLLATE "C",
    new_inputs       TEXT COLLATE "C",
    details          TEXT COLLATE "C",
    UNIQUE (id, tenant)
);
CREATE INDEX deployment_updates_by_deployment ON deployment_updates (deployment_id, created_at);
CREATE INDEX deployment_updates_by_execution ON deployment_updates (execution_id);
CREATE INDEX deployment_updates_by_time ON deployment_updates (created_at, num);
