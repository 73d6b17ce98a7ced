-- +goose Up
CREATE TABLE deployment_groups (
    num                 BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant              TEXT COLLATE "C" NOT NULL,
    id                  TEXT COLLATE "C" NOT NULL,
    visibility          TEXT COLLATE "C" NOT NULL,
    created_by          TEXT COLLATE "C" NOT NULL,
    created_at          BIGINT NOT NULL,
    description         TEXT COLLATE "C" NOT NULL,
    blueprint_id        TEXT COLLATE "C" NOT NULL,
    default_inputs      TEXT COLLATE "C",
    creation_counter    INTEGER NOT NULL,
    labels              TEXT COLLATE "C",
    UNIQUE (id, tenant)
);
CREATE TABLE deployment_group_members (
    tenant              TEXT COLLATE "C" NOT NULL,
    group_id            TEXT COLLATE "C" NOT NULL,
    deployment_id       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, group_id, deployment_id)
);
CREATE INDEX deployment_group_members_by_deployment ON deployment_group_members (deployment_id, tenant);
CREATE TABLE execution_groups (
    num                 BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant              TEXT COLLATE "C" NOT NULL,
    id                  TEXT COLLATE "C" NOT NULL,
    visibility          TEXT COLLATE "C" NOT NULL,
    created_by          TEXT COLLATE "C" NOT NULL,
    created_at          BIGINT NOT NULL,
    deployment_group_id TEXT COLLATE "C" NOT NULL,
    workflow_id         TEXT COLLATE "C" NOT NULL,
    concurrency         INTEGER NOT NULL,
    success_group_id    TEXT COLLATE "C" NOT NULL,
    failure_group_id    TEXT COLLATE "C" NOT NULL,
    UNIQUE (id, tenant)
);
ALTER TABLE executions ADD COLUMN group_id TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX executions_by_group ON executions (group_id, created_at) WHERE group_id <> '';
