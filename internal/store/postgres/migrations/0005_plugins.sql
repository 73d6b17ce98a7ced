-- +goose Up
CREATE TABLE plugins (
    num                    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant                 TEXT COLLATE "C" NOT NULL,
    id                     TEXT COLLATE "C" NOT NULL,
    visibility             TEXT COLLATE "C" NOT NULL,
    created_by             TEXT COLLATE "C" NOT NULL,
    created_at             BIGINT NOT NULL,
    title                  TEXT COLLATE "C" NOT NULL,
    package_name           TEXT COLLATE "C" NOT NULL,
    package_version        TEXT COLLATE "C" NOT NULL,
    package_key            TEXT COLLATE "C" NOT NULL, -- the name in the form that names are compared in
    package_source         TEXT COLLATE "C" NOT NULL,
    archive_name           TEXT COLLATE "C" NOT NULL,
    archive_hash           TEXT COLLATE "C" NOT NULL,
    supported_platform     TEXT COLLATE "C" NOT NULL,
    distribution           TEXT COLLATE "C" NOT NULL,
    distribution_version   TEXT COLLATE "C" NOT NULL,
    distribution_release   TEXT COLLATE "C" NOT NULL,
    supported_py_versions  TEXT COLLATE "C",
    wheels                 TEXT COLLATE "C",
    excluded_wheels        TEXT COLLATE "C",
    labels                 TEXT COLLATE "C",
    blueprint_labels       TEXT COLLATE "C",
    resource_tags          TEXT COLLATE "C",
    yaml_names             TEXT COLLATE "C",
    installations          TEXT COLLATE "C",
    icon                   BYTEA,
    yaml_files             TEXT COLLATE "C",
    UNIQUE (id)
);
CREATE UNIQUE INDEX plugins_by_archive ON plugins (tenant, package_name, archive_name);
CREATE INDEX plugins_by_package ON plugins (package_key, package_version);
CREATE INDEX plugins_listing ON plugins (created_at, num, tenant, visibility, created_by);
CREATE INDEX plugins_by_hash ON plugins (archive_hash);
