"""Labels."""
from typing import Any

from cloudify_rest_client.responses import ListResponse, Resource


class Label(Resource):
    """A label."""

    key: str
    value: Any
    created_at: str
    creator_id: str


class LabelsClient(object):

    def __init__(self, api, noun):
        self.api = api
        self.path = '/labels/' + noun

    def list_keys(self):
        return ListResponse(self.api.get(self.path)['items'])

    def list_key_values(self, label_key):
        answer = self.api.get('{0}/{1}'.format(self.path, label_key))
        return ListResponse(answer['items'], answer.get('metadata'))

    def get_reserved_labels_keys(self):
        """The keys that mean something to the manager."""
        return ListResponse(self.api.get(self.path, params={'_reserved': True})['items'])
