-- +goose Up
CREATE TABLE approvals (
    num               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant            TEXT COLLATE "C" NOT NULL,
    id                TEXT COLLATE "C" NOT NULL,
    visibility        TEXT COLLATE "C" NOT NULL,
    created_by        TEXT COLLATE "C" NOT NULL,
    created_at        BIGINT NOT NULL,
    execution_id      TEXT COLLATE "C" NOT NULL,
    deployment_id     TEXT COLLATE "C" NOT NULL,
    operation_id      TEXT COLLATE "C" NOT NULL,
    node_id           TEXT COLLATE "C" NOT NULL,
    instance_id       TEXT COLLATE "C" NOT NULL,
    operation_name    TEXT COLLATE "C" NOT NULL,
    question          TEXT COLLATE "C" NOT NULL,
    details           TEXT COLLATE "C",
    approvers         TEXT COLLATE "C",
    not_by_starter    BOOLEAN NOT NULL,
    expires_at        BIGINT,
    approve_on_expiry BOOLEAN NOT NULL,
    status            TEXT COLLATE "C" NOT NULL,
    decided_by        TEXT COLLATE "C" NOT NULL,
    decided_at        BIGINT,
    comment           TEXT COLLATE "C" NOT NULL,
    UNIQUE (tenant, id)
);
CREATE UNIQUE INDEX approvals_waiting ON approvals (operation_id) WHERE status = 'waiting';
CREATE INDEX approvals_by_operation ON approvals (operation_id);
CREATE INDEX approvals_by_execution ON approvals (execution_id);
CREATE INDEX approvals_by_creation ON approvals (created_at, num);
