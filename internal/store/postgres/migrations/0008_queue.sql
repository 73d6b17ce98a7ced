-- +goose Up
-- The queue is looked at whenever an execution ends: in its own order, by
-- deployment, and for what is system-wide. What has left it is not in these.
CREATE INDEX executions_queue ON executions (created_at, num, deployment_id, tenant, workflow_id, group_id)
    WHERE status = 'queued' AND NOT is_system_workflow;
CREATE INDEX executions_queue_by_deployment ON executions (deployment_id, tenant, created_at)
    WHERE status = 'queued' AND NOT is_system_workflow;
CREATE INDEX executions_queue_wide ON executions (created_at) WHERE status = 'queued' AND is_system_workflow;
