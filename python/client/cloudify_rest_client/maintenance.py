"""Maintenance mode."""
from typing import Any

from cloudify_rest_client.nouns import Nouns
from cloudify_rest_client.responses import Resource


class Maintenance(Resource):
    """Whether the manager is in maintenance."""

    status: str
    activated_at: str
    activation_requested_at: str
    remaining_executions: Any
    requested_by: str


class MaintenanceModeClient(Nouns):

    path = '/maintenance'
    kind = Maintenance

    def status(self):
        return self.one(self.api.get(self.path))

    def activate(self):
        return self.one(self.api.post(self.at('activate')))

    def deactivate(self):
        return self.one(self.api.post(self.at('deactivate')))
