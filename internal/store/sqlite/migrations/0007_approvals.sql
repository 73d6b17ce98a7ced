-- +goose Up
CREATE TABLE approvals (
    num               INTEGER PRIMARY KEY,
    tenant            TEXT NOT NULL,
    id                TEXT NOT NULL,
    visibility        TEXT NOT NULL,
    created_by        TEXT NOT NULL,
    created_at        BIGINT NOT NULL,
    execution_id      TEXT NOT NULL,
    deployment_id     TEXT NOT NULL,
    operation_id      TEXT NOT NULL,
    node_id           TEXT NOT NULL,
    instance_id       TEXT NOT NULL,
    operation_name    TEXT NOT NULL,
    question          TEXT NOT NULL,
    details           TEXT,
    approvers         TEXT,
    not_by_starter    BOOLEAN NOT NULL,
    expires_at        BIGINT,
    approve_on_expiry BOOLEAN NOT NULL,
    status            TEXT NOT NULL,
    decided_by        TEXT NOT NULL,
    decided_at        BIGINT,
    comment           TEXT NOT NULL,
    UNIQUE (tenant, id)
);
CREATE UNIQUE INDEX approvals_waiting ON approvals (operation_id) WHERE status = 'waiting';
CREATE INDEX approvals_by_operation ON approvals (operation_id);
CREATE INDEX approvals_by_execution ON approvals (execution_id);
CREATE INDEX approvals_by_creation ON approvals (created_at, num);
