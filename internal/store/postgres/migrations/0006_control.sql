-- +goose Up
-- Snapshots and their archives are this database's own: no snapshot holds them.
CREATE TABLE snapshots (
    num          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT COLLATE "C" NOT NULL UNIQUE,
    tenant       TEXT COLLATE "C" NOT NULL,
    visibility   TEXT COLLATE "C" NOT NULL,
    created_by   TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    status       TEXT COLLATE "C" NOT NULL,
    error        TEXT COLLATE "C" NOT NULL,
    execution_id TEXT COLLATE "C" NOT NULL,
    restored_by  TEXT COLLATE "C" NOT NULL,
    size         BIGINT NOT NULL,
    sealed_keys  BYTEA
);
CREATE TABLE snapshot_chunks (
    snapshot_id TEXT COLLATE "C" NOT NULL REFERENCES snapshots (id),
    position    BIGINT NOT NULL,
    content     BYTEA NOT NULL,
    PRIMARY KEY (snapshot_id, position)
);
CREATE TABLE filters (
    num        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant     TEXT COLLATE "C" NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    visibility TEXT COLLATE "C" NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    rules      TEXT COLLATE "C" NOT NULL,
    UNIQUE (id, kind, tenant)
);
CREATE TABLE sites (
    num        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant     TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    visibility TEXT COLLATE "C" NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    location   TEXT COLLATE "C" NOT NULL,
    UNIQUE (name, tenant)
);
CREATE TABLE dependencies (
    num                BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant             TEXT COLLATE "C" NOT NULL,
    source_deployment  TEXT COLLATE "C" NOT NULL,
    dependency_creator TEXT COLLATE "C" NOT NULL,
    id                 TEXT COLLATE "C" NOT NULL UNIQUE,
    visibility         TEXT COLLATE "C" NOT NULL,
    created_by         TEXT COLLATE "C" NOT NULL,
    created_at         BIGINT NOT NULL,
    target_deployment  TEXT COLLATE "C" NOT NULL,
    target_func        TEXT COLLATE "C",
    external_source    TEXT COLLATE "C",
    external_target    TEXT COLLATE "C",
    UNIQUE (source_deployment, dependency_creator, tenant)
);
CREATE INDEX dependencies_by_target ON dependencies (target_deployment, tenant);
ALTER TABLE execution_schedules ADD COLUMN catch_up TEXT COLLATE "C" NOT NULL DEFAULT '';
