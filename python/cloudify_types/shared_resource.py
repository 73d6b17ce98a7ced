"""cloudify.nodes.SharedResource: a deployment of its own that others use."""
from cloudify import ctx, manager
from cloudify.constants import SHARED_RESOURCE
from cloudify.decorators import operation
from cloudify.exceptions import NonRecoverableError
from cloudify_rest_client.exceptions import CloudifyClientError
from cloudify_types import _config, _state, _uploads, _waiting

_TYPE = 'cloudify.nodes.SharedResource'


@operation(resumable=True)
@_config.fails_for_good
def connect_deployment(**inputs):
    """Makes this deployment a consumer of the other, which is installed if it may be."""
    place = _config.Target(inputs)
    deployment_id = _config.resource(inputs, 'deployment').get('id', '')
    if not _uploads.exists(place.client.deployments, deployment_id):
        raise NonRecoverableError(
            'SharedResource\'s deployment ID "{0}" does not exist on tenant "{1}", please verify the given ID.'.format(
                deployment_id, ctx.tenant_name))
    ctx.instance.runtime_properties['deployment'] = {'id': deployment_id}
    deployment = place.client.deployments.get(deployment_id)
    if deployment['installation_status'] == 'inactive':
        if 'on-demand-resource' not in _labels(deployment, 'csys-obj-type'):
            raise NonRecoverableError(
                'SharedResource\'s deployment "{0}" is in an inactive state and isn\'t labeled as `csys-obj-type: '
                'on-demand-resource`. Please install the deployment first'.format(deployment_id))
        _run(place.client, 'install', deployment_id, queue=True)
    _state.store_capabilities(place.client, deployment_id)
    _config.once('_shared_resource_dependency', place.dependency(deployment_id, SHARED_RESOURCE).create)
    return True


@operation(resumable=True)
@_config.fails_for_good
def disconnect_deployment(**inputs):
    """Ends that; an on-demand resource without consumers is uninstalled."""
    place = _config.Target(inputs)
    deployment_id = _config.deployment_id(inputs)
    consumers = _labels(place.client.deployments.get(deployment_id), 'csys-consumer-id')
    if ctx.deployment.id not in consumers and not place.is_elsewhere:
        ctx.logger.warning('The deployment "%s" is not among the consumers of "%s".', ctx.deployment.id, deployment_id)
    if '_shared_resource_dependency' in ctx.instance.runtime_properties:
        place.dependency(deployment_id, SHARED_RESOURCE).delete()
        _config.forget('_shared_resource_dependency')
        ctx.instance.update()
    deployment = place.client.deployments.get(deployment_id)
    kinds = _labels(deployment, 'csys-obj-type')
    if ('on-demand-resource' in kinds and 'on-demand-uninstall-off' not in kinds
            and not _labels(deployment, 'csys-consumer-id') and deployment['installation_status'] == 'active'):
        try:
            _run(place.client, 'uninstall', deployment_id)
        except CloudifyClientError as error:
            if error.status_code != 400:
                raise
            ctx.logger.warning('The shared resource "%s" can\'t be uninstalled: %s', deployment_id, error)
    return True


def _labels(deployment, key):
    return [label['value'] for label in deployment['labels'] or () if label['key'] == key]


@operation(resumable=True)
@_config.fails_for_good
def execute_workflow(workflow_id, parameters=None, timeout=10, redirect_logs=True, **_):
    """Runs a workflow of the shared resource that a relationship leads to.

    timeout is how many seconds it may take until nothing else runs there.
    """
    node = ctx.target.node
    if _TYPE not in node.type_hierarchy:
        raise NonRecoverableError('Tried to execute "{0}" workflow on a non SharedResource node "{1}"'.format(
            workflow_id, node.id))
    config = node.properties.get('client')
    client = _config.client_of(config)[0] if config else manager.get_rest_client()
    deployment_id = node.properties['resource_config']['deployment']['id']
    if not _waiting.until(lambda: _waiting.is_idle(client, deployment_id), timeout):
        return ctx.operation.retry('The "{0}" deployment is not ready for workflow execution.'.format(deployment_id))
    _run(client, workflow_id, deployment_id, parameters, redirect_logs, ctx.target.instance)
    _state.store_capabilities(client, deployment_id, ctx.target.instance)
    return True


def _run(client, workflow_id, deployment_id, parameters=None, with_logs=True, instance=None, queue=False):
    ctx.logger.info('Starting the workflow "%s" of the shared resource "%s"', workflow_id, deployment_id)
    execution = client.executions.start(
        deployment_id, workflow_id, parameters=parameters, allow_custom_parameters=True, queue=queue)
    _waiting.Run(client, execution['id'], instance or ctx.instance, with_logs).wait()


@operation(resumable=True)
@_config.fails_for_good
def refresh(**inputs):
    _state.store_capabilities(_config.Target(inputs).client, _config.deployment_id(inputs))


@operation(resumable=True)
def check_status(**inputs):
    """How the deployment is, without running anything there."""
    _state.check(_config.Target(inputs).client.deployments.get(_config.deployment_id(inputs)))


@operation(resumable=True)
def check_drift(**inputs):
    """What of the deployment has changed since it was connected; None if nothing has."""
    client = _config.Target(inputs).client
    deployment_id = _config.deployment_id(inputs)
    drift = {
        'client': bool(_config.setting('client', inputs)),
        'capabilities': _state.differences(
            client.deployments.capabilities.get(deployment_id)['capabilities'],
            ctx.instance.runtime_properties.get('capabilities')),
        'deployment': ['id'] if _config.resource(inputs, 'deployment').get('id', deployment_id) != deployment_id else [],
    }
    return {part: changed for part, changed in drift.items() if changed} or None
