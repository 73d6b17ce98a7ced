-- +goose Up
-- Times are microseconds since 1970 in UTC; 0 or NULL is "never". Documents are
-- JSON text, and text compares by its bytes, as in SQLite. num is the order of
-- insertion. Unique keys lead with the id, so
-- that the tenant rule never tempts the planner away from a list's own index.

CREATE TABLE tenants (
    num        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    num                  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username             TEXT COLLATE "C" NOT NULL UNIQUE,
    password_hash        TEXT COLLATE "C" NOT NULL,
    role                 TEXT COLLATE "C" NOT NULL,
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
    tenant   TEXT COLLATE "C" NOT NULL REFERENCES tenants (name),
    username TEXT COLLATE "C" NOT NULL REFERENCES users (username),
    role     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, username)
);
CREATE INDEX tenant_members_by_user ON tenant_members (username);

CREATE TABLE tokens (
    num         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          TEXT COLLATE "C" NOT NULL UNIQUE,
    username    TEXT COLLATE "C" NOT NULL REFERENCES users (username),
    secret_hash TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    last_used   BIGINT
);
CREATE INDEX tokens_by_user ON tokens (username, created_at);

CREATE TABLE secrets (
    num              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant           TEXT COLLATE "C" NOT NULL,
    name             TEXT COLLATE "C" NOT NULL,
    visibility       TEXT COLLATE "C" NOT NULL,
    created_by       TEXT COLLATE "C" NOT NULL,
    created_at       BIGINT NOT NULL,
    sealed           BYTEA NOT NULL,
    is_hidden        BOOLEAN NOT NULL,
    updated_at       BIGINT,
    json_schema      TEXT COLLATE "C",
    provider_name    TEXT COLLATE "C" NOT NULL,
    provider_options TEXT COLLATE "C",
    UNIQUE (name, tenant)
);
CREATE INDEX secrets_listing ON secrets (created_at, num, tenant, visibility, created_by);

CREATE TABLE settings (
    scope      TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    value      TEXT COLLATE "C",
    updated_at BIGINT,
    updated_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (scope, name)
);

CREATE TABLE blobs (
    hash TEXT COLLATE "C" PRIMARY KEY,
    size BIGINT NOT NULL
);
CREATE TABLE blob_chunks (
    hash     TEXT COLLATE "C" NOT NULL REFERENCES blobs (hash),
    position BIGINT NOT NULL,
    content  BYTEA NOT NULL,
    PRIMARY KEY (hash, position)
);

CREATE TABLE blueprints (
    num                 BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant              TEXT COLLATE "C" NOT NULL,
    id                  TEXT COLLATE "C" NOT NULL,
    visibility          TEXT COLLATE "C" NOT NULL,
    created_by          TEXT COLLATE "C" NOT NULL,
    created_at          BIGINT NOT NULL,
    main_file_name      TEXT COLLATE "C" NOT NULL,
    description         TEXT COLLATE "C",
    updated_at          BIGINT,
    is_hidden           BOOLEAN NOT NULL,
    state               TEXT COLLATE "C" NOT NULL,
    error               TEXT COLLATE "C" NOT NULL,
    error_traceback     TEXT COLLATE "C" NOT NULL,
    labels              TEXT COLLATE "C",
    upload_execution_id TEXT COLLATE "C" NOT NULL,
    archive_hash        TEXT COLLATE "C" NOT NULL,
    archive_suffix      TEXT COLLATE "C" NOT NULL,
    requirements        TEXT COLLATE "C",
    plan                TEXT COLLATE "C", -- last: lists leave it out and need not read past it
    UNIQUE (id, tenant)
);
CREATE INDEX blueprints_listing ON blueprints (created_at, num, tenant, visibility, created_by);
CREATE INDEX blueprints_by_archive ON blueprints (archive_hash);

CREATE TABLE deployments (
    num                     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant                  TEXT COLLATE "C" NOT NULL,
    id                      TEXT COLLATE "C" NOT NULL,
    visibility              TEXT COLLATE "C" NOT NULL,
    created_by              TEXT COLLATE "C" NOT NULL,
    created_at              BIGINT NOT NULL,
    display_name            TEXT COLLATE "C" NOT NULL,
    description             TEXT COLLATE "C",
    blueprint_id            TEXT COLLATE "C" NOT NULL,
    site_name               TEXT COLLATE "C" NOT NULL,
    updated_at              BIGINT,
    runtime_only_evaluation BOOLEAN NOT NULL,
    installation_status     TEXT COLLATE "C" NOT NULL,
    deployment_status       TEXT COLLATE "C" NOT NULL,
    latest_execution_id     TEXT COLLATE "C" NOT NULL,
    create_execution_id     TEXT COLLATE "C" NOT NULL,
    unavailable_instances   BIGINT NOT NULL,
    drifted_instances       BIGINT NOT NULL,
    labels                  TEXT COLLATE "C",
    inputs                  TEXT COLLATE "C",
    outputs                 TEXT COLLATE "C",
    capabilities            TEXT COLLATE "C",
    resource_tags           TEXT COLLATE "C",
    deployment_settings     TEXT COLLATE "C",
    node_groups             TEXT COLLATE "C",
    scaling_groups          TEXT COLLATE "C",
    policy_types            TEXT COLLATE "C",
    policy_triggers         TEXT COLLATE "C",
    workflows               TEXT COLLATE "C",
    UNIQUE (id, tenant)
);
CREATE INDEX deployments_listing ON deployments (created_at, num, tenant, visibility, created_by);
CREATE INDEX deployments_by_blueprint ON deployments (blueprint_id, created_at);

CREATE TABLE nodes (
    num                BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant             TEXT COLLATE "C" NOT NULL,
    deployment_id      TEXT COLLATE "C" NOT NULL,
    id                 TEXT COLLATE "C" NOT NULL,
    visibility         TEXT COLLATE "C" NOT NULL,
    created_by         TEXT COLLATE "C" NOT NULL,
    blueprint_id       TEXT COLLATE "C" NOT NULL,
    type               TEXT COLLATE "C" NOT NULL,
    host_id            TEXT COLLATE "C" NOT NULL,
    position           BIGINT NOT NULL,
    current_instances  BIGINT NOT NULL,
    planned_instances  BIGINT NOT NULL,
    deploy_instances   BIGINT NOT NULL,
    min_instances      BIGINT NOT NULL,
    max_instances      BIGINT NOT NULL,
    type_hierarchy     TEXT COLLATE "C",
    properties         TEXT COLLATE "C",
    operations         TEXT COLLATE "C",
    relationships      TEXT COLLATE "C",
    plugins            TEXT COLLATE "C",
    plugins_to_install TEXT COLLATE "C",
    UNIQUE (deployment_id, id, tenant)
);
CREATE INDEX nodes_listing ON nodes (deployment_id, num);
CREATE INDEX nodes_by_id ON nodes (id);

CREATE TABLE node_instances (
    num                BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant             TEXT COLLATE "C" NOT NULL,
    id                 TEXT COLLATE "C" NOT NULL,
    visibility         TEXT COLLATE "C" NOT NULL,
    created_by         TEXT COLLATE "C" NOT NULL,
    deployment_id      TEXT COLLATE "C" NOT NULL,
    node_id            TEXT COLLATE "C" NOT NULL,
    host_id            TEXT COLLATE "C" NOT NULL,
    node_index         BIGINT NOT NULL,
    state              TEXT COLLATE "C" NOT NULL,
    version            BIGINT NOT NULL,
    status_ok          BOOLEAN NOT NULL, -- both computed from system_properties
    drifted            BOOLEAN NOT NULL,
    relationships      TEXT COLLATE "C",
    scaling_groups     TEXT COLLATE "C",
    system_properties  TEXT COLLATE "C",
    runtime_properties TEXT COLLATE "C",
    UNIQUE (id, tenant)
);
CREATE INDEX node_instances_by_node ON node_instances (deployment_id, tenant, node_id, status_ok, drifted);
CREATE INDEX node_instances_by_host ON node_instances (host_id);
CREATE INDEX node_instances_listing ON node_instances (deployment_id, num);

CREATE TABLE executions (
    num                     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id                      TEXT COLLATE "C" NOT NULL UNIQUE,
    tenant                  TEXT COLLATE "C" NOT NULL,
    visibility              TEXT COLLATE "C" NOT NULL,
    created_by              TEXT COLLATE "C" NOT NULL,
    created_at              BIGINT NOT NULL,
    workflow_id             TEXT COLLATE "C" NOT NULL,
    deployment_id           TEXT COLLATE "C" NOT NULL,
    blueprint_id            TEXT COLLATE "C" NOT NULL,
    status                  TEXT COLLATE "C" NOT NULL,
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
    token_hash              TEXT COLLATE "C" NOT NULL,
    error                   TEXT COLLATE "C",
    arguments               TEXT COLLATE "C",
    parameters              TEXT COLLATE "C"
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
    num                 BIGINT PRIMARY KEY REFERENCES executions (num),
    execution_id        TEXT COLLATE "C" NOT NULL UNIQUE,
    owner               TEXT COLLATE "C" NOT NULL,
    epoch               BIGINT NOT NULL,
    lease_until         BIGINT,
    total_operations    BIGINT NOT NULL,
    finished_operations BIGINT NOT NULL,
    event_seq           BIGINT NOT NULL, -- the last one given to an event
    events              BIGINT NOT NULL, -- how many are stored
    logs                BIGINT NOT NULL
);

CREATE TABLE graphs (
    num           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            TEXT COLLATE "C" NOT NULL UNIQUE,
    execution_num BIGINT NOT NULL REFERENCES executions (num),
    name          TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL,
    UNIQUE (execution_num, name)
);

CREATE TABLE operations (
    num          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT COLLATE "C" NOT NULL UNIQUE,
    graph_num    BIGINT NOT NULL REFERENCES graphs (num),
    position     BIGINT NOT NULL,
    state        TEXT COLLATE "C" NOT NULL,
    type         TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    manager_name TEXT COLLATE "C" NOT NULL,
    agent_name   TEXT COLLATE "C" NOT NULL,
    error        TEXT COLLATE "C" NOT NULL,
    result       TEXT COLLATE "C",
    dependencies TEXT COLLATE "C",
    parameters   TEXT COLLATE "C"
);
CREATE INDEX operations_by_graph ON operations (graph_num, position);

CREATE TABLE events (
    storage_id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_num      BIGINT NOT NULL,
    seq                BIGINT NOT NULL,
    is_log             BOOLEAN NOT NULL,
    timestamp          BIGINT NOT NULL,
    reported_timestamp BIGINT NOT NULL,
    execution_group_id TEXT COLLATE "C" NOT NULL,
    event_type         TEXT COLLATE "C" NOT NULL,
    level              TEXT COLLATE "C" NOT NULL,
    logger             TEXT COLLATE "C" NOT NULL,
    message            TEXT COLLATE "C" NOT NULL,
    message_code       TEXT COLLATE "C" NOT NULL,
    operation          TEXT COLLATE "C" NOT NULL,
    node_id            TEXT COLLATE "C" NOT NULL,
    source_id          TEXT COLLATE "C" NOT NULL,
    target_id          TEXT COLLATE "C" NOT NULL,
    manager_name       TEXT COLLATE "C" NOT NULL,
    agent_name         TEXT COLLATE "C" NOT NULL,
    error_causes       TEXT COLLATE "C"
);
CREATE UNIQUE INDEX events_by_seq ON events (execution_num, seq);
CREATE INDEX events_by_reported ON events (execution_num, reported_timestamp, storage_id);
CREATE INDEX events_by_timestamp ON events (timestamp, storage_id);
CREATE INDEX events_by_reported_timestamp ON events (reported_timestamp, storage_id);
