"""Changes of how many instances there are."""
from typing import Any, Dict, List

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class DeploymentModificationNodeInstances(Resource):
    """The instances that a change is about."""

    added_and_related: List[dict]
    removed_and_related: List[dict]
    before_modification: List[dict]
    before_rollback: List[dict]


class DeploymentModification(Resource):
    """A change of how many instances there are."""

    id: str
    status: str
    deployment_id: str
    modified_nodes: Dict[str, dict]
    created_at: str
    ended_at: str
    context: Any

    STARTED = 'started'
    FINISHED = 'finished'
    ROLLEDBACK = 'rolledback'

    @property
    def node_instances(self) -> DeploymentModificationNodeInstances:
        """The instances that it is about."""
        return DeploymentModificationNodeInstances(self.get('node_instances') or {})


class DeploymentModificationsClient(Nouns):

    path = '/deployment-modifications'
    kind = DeploymentModification
    identifier = 'modification_id'

    def list(self, deployment_id=None, _include=None, **params):
        """A page of modifications, of one deployment or of all."""
        params.update(given(deployment_id=deployment_id))
        return super(DeploymentModificationsClient, self).list(_include=_include, **params)

    def start(self, deployment_id, nodes, context=None):
        return self.one(self.api.post(self.path, data={
            'deployment_id': deployment_id, 'nodes': nodes, 'context': context or {}}))

    def finish(self, modification_id):
        return self.one(self.api.post(self.at(modification_id, 'finish')))

    def rollback(self, modification_id):
        return self.one(self.api.post(self.at(modification_id, 'rollback')))
