-- +goose Up
CREATE TABLE deployment_modifications (
    num            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant         TEXT COLLATE "C" NOT NULL,
    id             TEXT COLLATE "C" NOT NULL,
    visibility     TEXT COLLATE "C" NOT NULL,
    created_by     TEXT COLLATE "C" NOT NULL,
    created_at     BIGINT NOT NULL,
    deployment_id  TEXT COLLATE "C" NOT NULL,
    execution_id   TEXT COLLATE "C" NOT NULL,
    status         TEXT COLLATE "C" NOT NULL,
    ended_at       BIGINT,
    context        TEXT COLLATE "C",
    modified_nodes TEXT COLLATE "C",
    node_instances TEXT COLLATE "C",
    UNIQUE (id, tenant)
);
CREATE INDEX deployment_modifications_by_deployment ON deployment_modifications (deployment_id, created_at);
