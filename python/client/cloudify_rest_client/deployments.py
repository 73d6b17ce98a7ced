"""Deployments and their groups."""
from typing import Any, Dict, List

from cloudify_rest_client.labels import Label
from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import ListResponse, Resource


class Workflow(Resource):
    """A workflow of a deployment."""

    id: str
    name: str
    parameters: Dict[str, Any]
    is_available: bool
    availability_rules: Any


class Deployment(Resource):
    """A deployment."""

    _parts = {'labels': Label, 'workflows': Workflow}

    id: str
    blueprint_id: str
    created_by: str
    workflows: List[dict]
    inputs: Dict[str, Any]
    outputs: Dict[str, Any]
    capabilities: Dict[str, Any]
    description: str
    site_name: str
    visibility: str
    runtime_only_evaluation: bool
    labels: List[dict]
    deployment_groups: List[str]
    installation_status: str
    deployment_status: str
    sub_services_status: str
    sub_environments_status: str
    sub_services_count: int
    sub_environments_count: int
    environment_type: str
    latest_execution_id: str
    latest_execution_workflow_id: str
    latest_execution_status: str
    latest_execution_total_operations: int
    latest_execution_finished_operations: int
    tenant_name: str
    display_name: str
    policy_types: Any
    policy_triggers: Any
    groups: Any
    scaling_groups: Any
    unavailable_instances: int
    drifted_instances: int

    def is_environment(self) -> bool:
        """Tells whether it is an environment, by its labels."""
        return any(label.get('key') == 'csys-obj-type' and label.get('value') == 'environment'
                   for label in self.get('labels') or [])


class DeploymentOutputs(Resource):
    """What the outputs of a deployment are."""

    deployment_id: str
    outputs: Dict[str, Any]


class DeploymentCapabilities(Resource):
    """What the capabilities of a deployment are."""

    deployment_id: str
    capabilities: Dict[str, Any]


class DeploymentScalingGroup(Resource):
    """Nodes that are scaled together."""

    name: str
    members: List[str]
    properties: Dict[str, Any]


class DeploymentGroup(Resource):
    """A group of deployments."""

    id: str
    description: str
    labels: List[dict]
    default_blueprint_id: str
    default_inputs: Dict[str, Any]
    deployment_ids: List[str]


def label_list(labels):
    """[{key: value}] as the API has it: [{'key': key, 'value': value}]."""
    if labels is None:
        return None
    pairs = []
    for label in labels:
        if set(label) == {'key', 'value'}:
            pairs.append(label)
        else:
            pairs.extend({'key': key, 'value': value} for key, value in label.items())
    return pairs


class DeploymentOutputsClient(Nouns):

    path = '/deployments'

    def get(self, deployment_id):
        return DeploymentOutputs(self.api.get(self.at(deployment_id, 'outputs')))


class DeploymentCapabilitiesClient(Nouns):

    path = '/deployments'

    def get(self, deployment_id):
        return DeploymentCapabilities(self.api.get(self.at(deployment_id, 'capabilities')))

    def list(self, deployment_id, _include=None, constraints=None, **params):
        answer = self.api.post('/searches/capabilities', data=given(constraints=constraints),
                               params=dict(params, _deployment_id=deployment_id))
        return ListResponse([DeploymentCapabilities(item) for item in answer['items']], answer.get('metadata'))


class DeploymentScalingGroupsClient(Nouns):

    path = '/scaling-groups'
    kind = DeploymentScalingGroup

    def list(self, blueprint_id=None, deployment_id=None, constraints=None, **params):
        answer = self.api.post('/searches' + self.path, data=given(constraints=constraints), params=dict(
            params, _blueprint_id=blueprint_id, _deployment_id=deployment_id))
        return self.many(answer)


class DeploymentsClient(Nouns):

    path = '/deployments'
    kind = Deployment
    identifier = 'deployment_id'

    def __init__(self, api):
        super(DeploymentsClient, self).__init__(api)
        self.outputs = DeploymentOutputsClient(api)
        self.capabilities = DeploymentCapabilitiesClient(api)
        self.scaling_groups = DeploymentScalingGroupsClient(api)

    def create(self, blueprint_id, deployment_id, inputs=None, visibility='tenant', skip_plugins_validation=False,
               site_name=None, runtime_only_evaluation=False, labels=None, display_name=None, async_create=None, **_):
        data = given(blueprint_id=blueprint_id, inputs=inputs, visibility=visibility, site_name=site_name,
                     skip_plugins_validation=skip_plugins_validation, runtime_only_evaluation=runtime_only_evaluation,
                     labels=label_list(labels), display_name=display_name)
        return self.one(self.api.put(self.at(deployment_id), data=data, params=given(async_create=async_create)))

    def delete(self, deployment_id, force=False, delete_db_mode=False, with_logs=False, recursive=False, delete_logs=False):
        """Deletes a deployment, and its logs with it, if with_logs is true."""
        params = {'force': force, 'delete_logs': with_logs or delete_logs, 'recursive': recursive}
        return self.api.delete(self.at(deployment_id), params=params)

    def update_labels(self, deployment_id, labels, **_):
        return self.one(self.api.patch(self.at(deployment_id), data={'labels': label_list(labels)}))

    def set_attributes(self, deployment_id, **attributes):
        return self.one(self.api.patch(self.at(deployment_id), data=attributes))

    def set_visibility(self, deployment_id, visibility):
        return self.one(self.api.patch(self.at(deployment_id, 'set-visibility'), data={'visibility': visibility}))

    def set_site(self, deployment_id, site_name=None, detach_site=False):
        data = given(site_name=site_name, detach_site=detach_site or None)
        return self.one(self.api.post(self.at(deployment_id, 'set-site'), data=data))


class DeploymentGroupsClient(Nouns):

    path = '/deployment-groups'
    kind = DeploymentGroup
    identifier = 'group_id'

    def put(self, group_id, **fields):
        return self.one(self.api.put(self.at(group_id), data=given(**fields)))

    def add_deployments(self, group_id, **add):
        return self.one(self.api.patch(self.at(group_id), data={'add': given(**add)}))

    def remove_deployments(self, group_id, deployment_ids=None, **remove):
        return self.one(self.api.patch(self.at(group_id), data={
            'remove': given(deployment_ids=deployment_ids, **remove)}))

    def delete(self, group_id, delete_deployments=False, force=False, with_logs=False, recursive=False):
        """Deletes a group, and its deployments, if delete_deployments is true."""
        return self.api.delete(self.at(group_id), params={
            'delete_deployments': delete_deployments, 'force': force, 'delete_logs': with_logs, 'recursive': recursive})
