-- +goose Up
CREATE TABLE plugins (
    num                    INTEGER PRIMARY KEY,
    tenant                 TEXT NOT NULL,
    id                     TEXT NOT NULL,
    visibility             TEXT NOT NULL,
    created_by             TEXT NOT NULL,
    created_at             BIGINT NOT NULL,
    title                  TEXT NOT NULL,
    package_name           TEXT NOT NULL,
    package_version        TEXT NOT NULL,
    package_key            TEXT NOT NULL, -- the name in the form that names are compared in
    package_source         TEXT NOT NULL,
    archive_name           TEXT NOT NULL,
    archive_hash           TEXT NOT NULL,
    supported_platform     TEXT NOT NULL,
    distribution           TEXT NOT NULL,
    distribution_version   TEXT NOT NULL,
    distribution_release   TEXT NOT NULL,
    supported_py_versions  TEXT,
    wheels                 TEXT,
    excluded_wheels        TEXT,
    labels                 TEXT,
    blueprint_labels       TEXT,
    resource_tags          TEXT,
    yaml_names             TEXT,
    installations          TEXT,
    icon                   BLOB,
    yaml_files             TEXT,
    UNIQUE (id)
);
CREATE UNIQUE INDEX plugins_by_archive ON plugins (tenant, package_name, archive_name);
CREATE INDEX plugins_by_package ON plugins (package_key, package_version);
CREATE INDEX plugins_listing ON plugins (created_at, num, tenant, visibility, created_by);
CREATE INDEX plugins_by_hash ON plugins (archive_hash);
