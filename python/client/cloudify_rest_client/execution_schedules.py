"""When executions start."""
from typing import Any, Dict

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class ExecutionSchedule(Resource):
    """When to start a workflow."""

    id: str
    deployment_id: str
    workflow_id: str
    parameters: Dict[str, Any]
    created_at: str
    next_occurrence: str
    since: str
    until: str
    stop_on_fail: bool
    enabled: bool


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
