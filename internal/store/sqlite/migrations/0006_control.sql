-- +goose Up
-- Snapshots and their archives are this database's own: no snapshot holds them.
CREATE TABLE snapshots (
    num          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    tenant       TEXT NOT NULL,
    visibility   TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    status       TEXT NOT NULL,
    error        TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    restored_by  TEXT NOT NULL,
    size         BIGINT NOT NULL,
    sealed_keys  BLOB
);
CREATE TABLE snapshot_chunks (
    snapshot_id TEXT NOT NULL REFERENCES snapshots (id),
    position    BIGINT NOT NULL,
    content     BLOB NOT NULL,
    PRIMARY KEY (snapshot_id, position)
);
CREATE TABLE filters (
    num        INTEGER PRIMARY KEY,
    tenant     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    rules      TEXT NOT NULL,
    UNIQUE (id, kind, tenant)
);
CREATE TABLE sites (
    num        INTEGER PRIMARY KEY,
    tenant     TEXT NOT NULL,
    name       TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    location   TEXT NOT NULL,
    UNIQUE (name, tenant)
);
CREATE TABLE dependencies (
    num                INTEGER PRIMARY KEY,
    tenant             TEXT NOT NULL,
    source_deployment  TEXT NOT NULL,
    dependency_creator TEXT NOT NULL,
    id                 TEXT NOT NULL UNIQUE,
    visibility         TEXT NOT NULL,
    created_by         TEXT NOT NULL,
    created_at         BIGINT NOT NULL,
    target_deployment  TEXT NOT NULL,
    target_func        TEXT,
    external_source    TEXT,
    external_target    TEXT,
    UNIQUE (source_deployment, dependency_creator, tenant)
);
CREATE INDEX dependencies_by_target ON dependencies (target_deployment, tenant);
ALTER TABLE execution_schedules ADD COLUMN catch_up TEXT NOT NULL DEFAULT '';
