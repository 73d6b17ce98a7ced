"""Changes to other blueprints or inputs."""
from typing import Any, Dict, List

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class DeploymentUpdate(Resource):
    """A change to another blueprint or other inputs."""

    id: str
    state: str
    deployment_id: str
    old_blueprint_id: str
    new_blueprint_id: str
    old_inputs: Dict[str, Any]
    new_inputs: Dict[str, Any]
    steps: List[dict]
    execution_id: str
    created_at: str
    runtime_only_evaluation: bool
    deployment_plan: Any


class DeploymentUpdatesClient(Nouns):

    path = '/deployment-updates'
    kind = DeploymentUpdate
    identifier = 'update_id'

    def update_with_existing_blueprint(self, deployment_id, blueprint_id=None, inputs=None, **options):
        """Begins an update; options are those of the REST API, such as skip_install and preview."""
        data = given(blueprint_id=blueprint_id, inputs=inputs, **options)
        return self.one(self.api.post(self.at(deployment_id, 'update/initiate'), data=data))

    def set_attributes(self, update_id, **attributes):
        return self.one(self.api.patch(self.at(update_id), data=attributes))

    def create(self, update_id, deployment_id, **fields):
        """Stores an update; for workflows that perform them."""
        return self.one(self.api.put(self.at(update_id), data=dict(fields, deployment_id=deployment_id)))

    def finalize_commit(self, update_id):
        """Ends an update."""
        return self.one(self.api.post(self.at(update_id, 'update/finalize')))
