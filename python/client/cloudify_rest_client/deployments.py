"""Deployments, their groups, updates and modifications."""
from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import ListResponse, Resource


class Deployment(Resource):
    """A deployment."""


class DeploymentOutputs(Resource):
    """deployment_id, outputs."""


class DeploymentCapabilities(Resource):
    """deployment_id, capabilities."""


class DeploymentGroup(Resource):
    """A group of deployments."""


class DeploymentModification(Resource):
    """A change of how many instances there are."""


class DeploymentUpdate(Resource):
    """A change to another blueprint or other inputs."""


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

    def list(self, blueprint_id=None, deployment_id=None, constraints=None, **params):
        answer = self.api.post('/searches' + self.path, data=given(constraints=constraints), params=dict(
            params, _blueprint_id=blueprint_id, _deployment_id=deployment_id))
        return self.many(answer)


class DeploymentsClient(Nouns):

    path = '/deployments'
    kind = Deployment

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

    def delete(self, deployment_id, force=False, delete_logs=False, recursive=False, with_logs=None, **_):
        params = {'force': force, 'delete_logs': delete_logs if with_logs is None else with_logs, 'recursive': recursive}
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

    def put(self, group_id, **fields):
        return self.one(self.api.put(self.at(group_id), data=given(**fields)))

    def add_deployments(self, group_id, **add):
        return self.one(self.api.patch(self.at(group_id), data={'add': given(**add)}))

    def remove_deployments(self, group_id, deployment_ids=None, **remove):
        return self.one(self.api.patch(self.at(group_id), data={
            'remove': given(deployment_ids=deployment_ids, **remove)}))

    def delete(self, group_id, delete_deployments=False, force=False, with_logs=False):
        return self.api.delete(self.at(group_id), params={
            'delete_deployments': delete_deployments, 'force': force, 'delete_logs': with_logs})


class DeploymentModificationsClient(Nouns):

    path = '/deployment-modifications'
    kind = DeploymentModification

    def start(self, deployment_id, nodes, context=None):
        return self.one(self.api.post(self.path, data={
            'deployment_id': deployment_id, 'nodes': nodes, 'context': context or {}}))

    def finish(self, modification_id):
        return self.one(self.api.post(self.at(modification_id, 'finish')))

    def rollback(self, modification_id):
        return self.one(self.api.post(self.at(modification_id, 'rollback')))


class DeploymentUpdatesClient(Nouns):

    path = '/deployment-updates'
    kind = DeploymentUpdate

    def update_with_existing_blueprint(self, deployment_id, blueprint_id=None, inputs=None, **options):
        data = given(blueprint_id=blueprint_id, inputs=inputs, **options)
        return self.one(self.api.post(self.at(deployment_id, 'update/initiate'), data=data))

    def set_attributes(self, update_id, **attributes):
        return self.one(self.api.patch(self.at(update_id), data=attributes))
