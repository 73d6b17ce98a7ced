-- +goose Up
CREATE TABLE plugins_updates (
    num               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant            TEXT COLLATE "C" NOT NULL,
    id                TEXT COLLATE "C" NOT NULL,
    visibility        TEXT COLLATE "C" NOT NULL,
    created_by        TEXT COLLATE "C" NOT NULL,
    created_at        BIGINT NOT NULL,
    blueprint_id      TEXT COLLATE "C" NOT NULL,
    temp_blueprint_id TEXT COLLATE "C" NOT NULL,
    execution_id      TEXT COLLATE "C" NOT NULL,
    state             TEXT COLLATE "C" NOT NULL,
    forced            BOOLEAN NOT NULL,
    all_tenants       BOOLEAN NOT NULL,
    deployments       TEXT COLLATE "C",
    UNIQUE (id, tenant)
);
CREATE INDEX plugins_updates_by_blueprint ON plugins_updates (blueprint_id, created_at);
CREATE INDEX plugins_updates_by_execution ON plugins_updates (execution_id);
CREATE INDEX plugins_updates_by_time ON plugins_updates (created_at, num);
