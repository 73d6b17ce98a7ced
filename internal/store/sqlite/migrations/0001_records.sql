-- +goose Up
-- Times are microseconds since 1970 in UTC; 0 or NULL is "never". Documents are
-- JSON text. num is the order of insertion. Unique keys lead with the id, so
-- that the tenant rule never tempts the planner away from a list's own index.

CREATE TABLE tenants (
    num        INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    num                  INTEGER PRIMARY KEY,
    username             TEXT NOT NULL UNIQUE,
    password_hash        TEXT NOT NULL,
    role                 TEXT NOT NULL,
    active               BOOLEAN NOT NULL,
    bootstrap            BOOLEAN NOT NULL,
    created_at           BIGINT NOT NULL,
    first_login_at       BIGINT,
    last_login_at        BIGINT,
    failed_logins        BIGINT NOT NULL,
    last_failed_login_at BIGINT,
    getting_started      BOOLEAN NOT NULL
);

CREATE TABLE tenant_members (
    tenant   TEXT NOT NULL REFERENCES tenants (name),
    username TEXT NOT NULL REFERENCES users (username),
    role     TEXT NOT NULL,
    PRIMARY KEY (tenant, username)
);
CREATE INDEX tenant_members_by_user ON tenant_members (username);

CREATE TABLE tokens (
    num         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    username    TEXT NOT NULL REFERENCES users (username),
    secret_hash TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    last_used   BIGINT
);
CREATE INDEX tokens_by_user ON tokens (username, created_at);

CREATE TABLE secrets (
    num              INTEGER PRIMARY KEY,
    tenant           TEXT NOT NULL,
    name             TEXT NOT NULL,
    visibility       TEXT NOT NULL,
    created_by       TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    sealed           BLOB NOT NULL,
    is_hidden        BOOLEAN NOT NULL,
    updated_at       BIGINT,
    json_schema      TEXT,
    provider_name    TEXT NOT NULL,
    provider_options TEXT,
    UNIQUE (name, tenant)
);
CREATE INDEX secrets_listing ON secrets (created_at, num, tenant, visibility, created_by);

CREATE TABLE settings (
    scope      TEXT NOT NULL,
    name       TEXT NOT NULL,
    value      TEXT,
    updated_at BIGINT,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (scope, name)
);

CREATE TABLE blobs (
    hash TEXT PRIMARY KEY,
    size BIGINT NOT NULL
);
CREATE TABLE blob_chunks (
    hash     TEXT NOT NULL REFERENCES blobs (hash),
    position BIGINT NOT NULL,
    content  BLOB NOT NULL,
    PRIMARY KEY (hash, position)
);

CREATE TABLE blueprints (
    num                 INTEGER PRIMARY KEY,
    tenant              TEXT NOT NULL,
    id                  TEXT NOT NULL,
    visibility          TEXT NOT NULL,
    created_by          TEXT NOT NULL,
    created_at          BIGINT NOT NULL,
    main_file_name      TEXT NOT NULL,
    description         TEXT,
    updated_at          BIGINT,
    is_hidden           BOOLEAN NOT NULL,
    state               TEXT NOT NULL,
    error               TEXT NOT NULL,
    error_traceback     TEXT NOT NULL,
    labels              TEXT,
    upload_execution_id TEXT NOT NULL,
    archive_hash        TEXT NOT NULL,
    archive_suffix      TEXT NOT NULL,
    requirements        TEXT,
    plan                TEXT, -- last: lists leave it out and need not read past it
    UNIQUE (id, tenant)
);
CREATE INDEX blueprints_listing ON blueprints (created_at, num, tenant, visibility, created_by);
CREATE INDEX blueprints_by_archive ON blueprints (archive_hash);

CREATE TABLE deployments (
    num                     INTEGER PRIMARY KEY,
    tenant                  TEXT NOT NULL,
    id                      TEXT NOT NULL,
    visibility              TEXT NOT NULL,
    created_by              TEXT NOT NULL,
    created_at              BIGINT NOT NULL,
    display_name            TEXT NOT NULL,
    description             TEXT,
    blueprint_id            TEXT NOT NULL,
    site_name               TEXT NOT NULL,
    updated_at              BIGINT,
    runtime_only_evaluation BOOLEAN NOT NULL,
    installation_status     TEXT NOT NULL,
    deployment_status       TEXT NOT NULL,
    latest_execution_id     TEXT NOT NULL,
    create_execution_id     TEXT NOT NULL,
    unavailable_instances   BIGINT NOT NULL,
    drifted_instances       BIGINT NOT NULL,
    labels                  TEXT,
    inputs                  TEXT,
    outputs                 TEXT,
    capabilities            TEXT,
    resource_tags           TEXT,
    deployment_settings     TEXT,
    node_groups             TEXT,
    scaling_groups          TEXT,
    policy_types            TEXT,
    policy_triggers         TEXT,
    workflows               TEXT,
    UNIQUE (id, tenant)
);
CREATE INDEX deployments_listing ON deployments (created_at, num, tenant, visibility, created_by);
CREATE INDEX deployments_by_blueprint ON deployments (blueprint_id, created_at);

CREATE TABLE nodes (
    num                INTEGER PRIMARY KEY,
    tenant             TEXT NOT NULL,
    deployment_id      TEXT NOT NULL,
    id                 TEXT NOT NULL,
    visibility         TEXT NOT NULL,
    created_by         TEXT NOT NULL,
    blueprint_id       TEXT NOT NULL,
    type               TEXT NOT NULL,
    host_id            TEXT NOT NULL,
    position           BIGINT NOT NULL,
    current_instances  BIGINT NOT NULL,
    planned_instances  BIGINT NOT NULL,
    deploy_instances   BIGINT NOT NULL,
    min_instances      BIGINT NOT NULL,
    max_instances      BIGINT NOT NULL,
    type_hierarchy     TEXT,
    properties         TEXT,
    operations         TEXT,
    relationships      TEXT,
    plugins            TEXT,
    plugins_to_install TEXT,
    UNIQUE (deployment_id, id, tenant)
);
CREATE INDEX nodes_listing ON nodes (deployment_id, num);
CREATE INDEX nodes_by_id ON nodes (id);

CREATE TABLE node_instances (
    num                INTEGER PRIMARY KEY,
    tenant             TEXT NOT NULL,
    id                 TEXT NOT NULL,
    visibility         TEXT NOT NULL,
    created_by         TEXT NOT NULL,
    deployment_id      TEXT NOT NULL,
    node_id            TEXT NOT NULL,
    host_id            TEXT NOT NULL,
    node_index         BIGINT NOT NULL,
    state              TEXT NOT NULL,
    version            BIGINT NOT NULL,
    status_ok          BOOLEAN NOT NULL, -- both computed from system_properties
    drifted            BOOLEAN NOT NULL,
    relationships      TEXT,
    scaling_groups     TEXT,
    system_properties  TEXT,
    runtime_properties TEXT,
    UNIQUE (id, tenant)
);
CREATE INDEX node_instances_by_node ON node_instances (deployment_id, tenant, node_id, status_ok, drifted);
CREATE INDEX node_instances_by_host ON node_instances (host_id);
CREATE INDEX node_instances_listing ON node_instances (deployment_id, num);

CREATE TABLE executions (
    num                     INTEGER PRIMARY KEY,
    id                      TEXT NOT NULL UNIQUE,
    tenant                  TEXT NOT NULL,
    visibility              TEXT NOT NULL,
    created_by              TEXT NOT NULL,
    created_at              BIGINT NOT NULL,
    workflow_id             TEXT NOT NULL,
    deployment_id           TEXT NOT NULL,
    blueprint_id            TEXT NOT NULL,
    status                  TEXT NOT NULL,
    is_active               BOOLEAN NOT NULL, -- computed from status
    started_at              BIGINT,
    ended_at                BIGINT,
    scheduled_for           BIGINT,
    queued_at               BIGINT,
    is_system_workflow      BOOLEAN NOT NULL,
    is_dry_run              BOOLEAN NOT NULL,
    resume                  BOOLEAN NOT NULL,
    allow_custom_parameters BOOLEAN NOT NULL,
    force                   BOOLEAN NOT NULL,
    wait_after_fail         BIGINT NOT NULL,
    token_hash              TEXT NOT NULL,
    error                   TEXT,
    arguments               TEXT,
    parameters              TEXT
);
CREATE INDEX executions_listing ON executions (created_at, num, tenant, visibility, created_by);
CREATE INDEX executions_by_deployment ON executions (deployment_id, tenant, created_at);
CREATE INDEX executions_by_blueprint ON executions (blueprint_id, created_at);
CREATE INDEX executions_by_status ON executions (status, created_at);
CREATE INDEX executions_active ON executions (created_at) WHERE is_active;
CREATE UNIQUE INDEX executions_by_token ON executions (token_hash) WHERE token_hash <> '';

-- What changes all the time about an execution: its claim and its counters. A
-- narrow row of its own keeps that cheap, however large the parameters are.
CREATE TABLE progress (
    num                 INTEGER PRIMARY KEY REFERENCES executions (num),
    execution_id        TEXT NOT NULL UNIQUE,
    owner               TEXT NOT NULL,
    epoch               BIGINT NOT NULL,
    lease_until         BIGINT,
    total_operations    BIGINT NOT NULL,
    finished_operations BIGINT NOT NULL,
    event_seq           BIGINT NOT NULL, -- the last one given to an event
    events              BIGINT NOT NULL, -- how many are stored
    logs                BIGINT NOT NULL
);

CREATE TABLE graphs (
    num           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    execution_num BIGINT NOT NULL REFERENCES executions (num),
    name          TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    UNIQUE (execution_num, name)
);

CREATE TABLE operations (
    num          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    graph_num    BIGINT NOT NULL REFERENCES graphs (num),
    position     BIGINT NOT NULL,
    state        TEXT NOT NULL,
    type         TEXT NOT NULL,
    name         TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    manager_name TEXT NOT NULL,
    agent_name   TEXT NOT NULL,
    error        TEXT NOT NULL,
    result       TEXT,
    dependencies TEXT,
    parameters   TEXT
);
CREATE INDEX operations_by_graph ON operations (graph_num, position);

CREATE TABLE events (
    storage_id         INTEGER PRIMARY KEY AUTOINCREMENT,
    execution_num      BIGINT NOT NULL,
    seq                BIGINT NOT NULL,
    is_log             BOOLEAN NOT NULL,
    timestamp          BIGINT NOT NULL,
    reported_timestamp BIGINT NOT NULL,
    execution_group_id TEXT NOT NULL,
    event_type         TEXT NOT NULL,
    level              TEXT NOT NULL,
    logger             TEXT NOT NULL,
    message            TEXT NOT NULL,
    message_code       TEXT NOT NULL,
    operation          TEXT NOT NULL,
    node_id            TEXT NOT NULL,
    source_id          TEXT NOT NULL,
    target_id          TEXT NOT NULL,
    manager_name       TEXT NOT NULL,
    agent_name         TEXT NOT NULL,
    error_causes       TEXT
);
CREATE UNIQUE INDEX events_by_seq ON events (execution_num, seq);
CREATE INDEX events_by_reported ON events (execution_num, reported_timestamp, storage_id);
CREATE INDEX events_by_timestamp ON events (timestamp, storage_id);
CREATE INDEX events_by_reported_timestamp ON events (reported_timestamp, storage_id);
