"""Executions, their groups and schedules, and what they consist of."""
import uuid

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Execution(Resource):
    """A run of a workflow."""

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


class ExecutionSchedule(Resource):
    """When to start a workflow."""


class Operation(Resource):
    """A task of an execution."""


class TasksGraph(Resource):
    """A graph of tasks."""


class ExecutionsClient(Nouns):

    path = '/executions'
    kind = Execution

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
        return self.api.delete(self.path, data=given(
            keep_last=keep_last, to_datetime=to_datetime.isoformat() if to_datetime else None, **filters))


class ExecutionGroupsClient(Nouns):

    path = '/execution-groups'
    kind = ExecutionGroup

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


class ExecutionSchedulesClient(Nouns):

    path = '/execution-schedules'
    kind = ExecutionSchedule

    def create(self, schedule_id, deployment_id, workflow_id, **fields):
        return self.one(self.api.put(
            self.at(schedule_id), data=given(workflow_id=workflow_id, **fields), params={'deployment_id': deployment_id}))

    def update(self, schedule_id, deployment_id, **fields):
        return self.one(self.api.patch(self.at(schedule_id), data=given(**fields), params={'deployment_id': deployment_id}))

    def get(self, schedule_id, deployment_id, _include=None):
        return self.one(self.api.get(self.at(schedule_id), _include=_include, params={'deployment_id': deployment_id}))

    def delete(self, schedule_id, deployment_id):
        return self.api.delete(self.at(schedule_id), params={'deployment_id': deployment_id})


class OperationsClient(Nouns):

    path = '/operations'
    kind = Operation

    def create(self, operation_id, graph_id, name, type, parameters, dependencies, **fields):
        return self.one(self.api.put(self.at(operation_id), data=dict(
            given(**fields), graph_id=graph_id, name=name, type=type, parameters=parameters, dependencies=dependencies)))

    def update(self, operation_id, state, **fields):
        return self.api.patch(self.at(operation_id), data=dict(given(**fields), state=state))


class TasksGraphClient(Nouns):

    path = '/tasks_graphs'
    kind = TasksGraph

    def list(self, execution_id, name=None, _include=None):
        return self.many(self.api.get(self.path, _include=_include, params=given(execution_id=execution_id, name=name)))

    def create(self, execution_id, name, operations=None, graph_id=None, **fields):
        return self.one(self.api.post(self.at(graph_id or uuid.uuid4()), data=given(
            execution_id=execution_id, name=name, operations=operations, **fields)))
