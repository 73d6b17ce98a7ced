-- +goose Up
CREATE TABLE hook_calls (
    num            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             TEXT COLLATE "C" NOT NULL UNIQUE,
    tenant         TEXT COLLATE "C" NOT NULL,
    execution_id   TEXT COLLATE "C" NOT NULL,
    event_type     TEXT COLLATE "C" NOT NULL,
    created_at     BIGINT NOT NULL,
    implementation TEXT COLLATE "C" NOT NULL,
    inputs         TEXT COLLATE "C",
    facts          TEXT COLLATE "C",
    claimed_until  BIGINT NOT NULL,
    token_hash     TEXT COLLATE "C" NOT NULL
);
CREATE INDEX hook_calls_by_execution ON hook_calls (execution_id, num);
