"""Executions and their groups."""
from typing import Any, Dict, List

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Execution(Resource):
    """A run of a workflow."""

    id: str
    deployment_id: str
    blueprint_id: str
    status: str
    status_display: str
    error: str
    workflow_id: str
    parameters: Dict[str, Any]
    is_system_workflow: bool
    created_at: str
    started_at: str
    ended_at: str
    created_by: str
    scheduled_for: str
    is_dry_run: bool
    total_operations: int
    finished_operations: int

    SCHEDULED = 'scheduled'
    QUEUED = 'queued'
    PENDING = 'pending'
    STARTED = 'started'
    CANCELLING = 'cancelling'
    FORCE_CANCELLING = 'force_cancelling'
    KILL_CANCELLING = 'kill_cancelling'
    TERMINATED = 'terminated'
    FAILED = 'failed'
    CANCELLED = 'cancelled'
    END_STATES = [TERMINATED, FAILED, CANCELLED]
    WAITING_STATES = [SCHEDULED, QUEUED]


class ExecutionGroup(Resource):
    """Executions on a group of deployments."""

    id: str
    execution_ids: List[str]
    status: str
    deployment_group_id: str
    workflow_id: str
    concurrency: int


class ExecutionsClient(Nouns):

    path = '/executions'
    kind = Execution
    identifier = 'execution_id'

    def create(self, deployment_id, workflow_id, parameters=None, allow_custom_parameters=False, force=False,
               dry_run=False, queue=False, schedule=None, force_status=None, created_by=None, created_at=None,
               started_at=None, ended_at=None, execution_id=None, wait_after_fail=600, is_system_workflow=None,
               error=None, **_):
        return self.one(self.api.post(self.path, data=given(
            deployment_id=deployment_id, workflow_id=workflow_id, parameters=parameters,
            allow_custom_parameters=allow_custom_parameters, force=force, dry_run=dry_run, queue=queue,
            scheduled_time=schedule, wait_after_fail=wait_after_fail)))

    def start(self, *args, **kwargs):
        return self.create(*args, **kwargs)

    def list(self, _include=None, include_system_workflows=False, **params):
        """A page of them; those of the manager's own workflows only if they are asked for."""
        return super(ExecutionsClient, self).list(
            _include, _include_system_workflows=include_system_workflows or None, **params)

    def update(self, execution_id, status, error=None):
        return self.one(self.api.patch(self.at(execution_id), data=given(status=status, error=error)))

    def _act(self, execution_id, action):
        return self.one(self.api.post(self.at(execution_id), data={'action': action}))

    def cancel(self, execution_id, force=False, kill=False):
        return self._act(execution_id, 'kill' if kill else 'force-cancel' if force else 'cancel')

    def resume(self, execution_id, force=False):
        return self._act(execution_id, 'force-resume' if force else 'resume')

    def requeue(self, execution_id):
        return self._act(execution_id, 'requeue')

    def delete(self, to_datetime=None, keep_last=None, **filters):
        """Deletes executions that have ended; returns how many."""
        answer = self.api.delete(self.path, data=given(
            keep_last=keep_last, to_datetime=to_datetime.isoformat() if to_datetime else None, **filters))
        return answer['items'][0]['count']

    def should_start(self, execution_id):
        """Whether a queued execution could start now."""
        return self.api.get(self.at(execution_id, 'should-start'))


class ExecutionGroupsClient(Nouns):

    path = '/execution-groups'
    kind = ExecutionGroup
    identifier = 'execution_group_id'

    def start(self, deployment_group_id, workflow_id, force=False, default_parameters=None, parameters=None,
              concurrency=5):
        return self.one(self.api.post(self.path, data=given(
            deployment_group_id=deployment_group_id, workflow_id=workflow_id, force=force,
            default_parameters=default_parameters, parameters=parameters, concurrency=concurrency)))

    def cancel(self, execution_group_id, force=False, kill=False):
        action = 'kill' if kill else 'force-cancel' if force else 'cancel'
        return self.one(self.api.post(self.at(execution_group_id), data={'action': action}))

    def resume(self, execution_group_id, force=False):
        return self.one(self.api.post(self.at(execution_group_id), data={'action': 'force-resume' if force else 'resume'}))

    def create(self, deployment_group_id, workflow_id, executions, force=False, default_parameters=None, parameters=None,
               concurrency=5, **fields):
        """Makes a group of executions that are there already."""
        return self.one(self.api.post(self.path, data=given(
            deployment_group_id=deployment_group_id, workflow_id=workflow_id, executions=executions, force=force,
            default_parameters=default_parameters, parameters=parameters, concurrency=concurrency, **fields)))

    def set_target_group(self, execution_group_id, success_group=None, failed_group=None):
        """Where deployments go whose executions have ended well, or not."""
        return self.one(self.api.patch(self.at(execution_group_id), data=given(
            success_group_id=success_group, failure_group_id=failed_group)))

    def set_concurrency(self, execution_group_id, concurrency):
        """How many of the group may run at once; 0 pauses it."""
        return self.one(self.api.patch(self.at(execution_group_id), data={'concurrency': concurrency}))
