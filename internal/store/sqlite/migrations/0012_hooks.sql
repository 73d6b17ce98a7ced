-- +goose Up
CREATE TABLE hook_calls (
    num            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    tenant         TEXT NOT NULL,
    execution_id   TEXT NOT NULL,
    event_type     TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    implementation TEXT NOT NULL,
    inputs         TEXT,
    facts          TEXT,
    claimed_until  BIGINT NOT NULL,
    token_hash     TEXT NOT NULL
);
CREATE INDEX hook_calls_by_execution ON hook_calls (execution_id, num);
