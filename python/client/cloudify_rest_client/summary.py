"""Counts of things."""
from cloudify_rest_client.nouns import given
from cloudify_rest_client.responses import ListResponse, Resource


class SummaryClient(object):

    def __init__(self, api, noun):
        self.api = api
        self.path = '/summary/' + noun

    def get(self, _target_field, _sub_field=None, **params):
        params.update(given(_target_field=_target_field, _sub_field=_sub_field))
        answer = self.api.get(self.path, params=params)
        return ListResponse([Resource(item) for item in answer['items']], answer.get('metadata'))


class SummariesClient(object):

    def __init__(self, api):
        for noun in ('blueprints', 'deployments', 'executions', 'nodes', 'node_instances', 'execution_schedules'):
            setattr(self, noun, SummaryClient(api, noun))
