-- +goose Up

-- The queue in its order, and a deployment's part of it in its order: each
-- index serves one of the two, so that no planner takes one for the other.
DROP INDEX executions_queue;
DROP INDEX executions_queue_by_deployment;
CREATE INDEX executions_queue ON executions (created_at, num) WHERE status = 'queued' AND NOT is_system_workflow;
CREATE INDEX executions_queue_by_deployment ON executions (deployment_id, tenant, created_at, num)
    WHERE status = 'queued' AND NOT is_system_workflow;

-- What is active in its order too.
DROP INDEX executions_active;
CREATE INDEX executions_active ON executions (created_at, num) WHERE is_active;
