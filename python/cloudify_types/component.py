"""cloudify.nodes.Component: a deployment as a node of another one."""
from cloudify import ctx
from cloudify.decorators import operation
from cloudify.exceptions import NonRecoverableError
from cloudify_rest_client.exceptions import CloudifyClientError
from cloudify_types import _config, _state, _uploads, _waiting

_CREATING = '_component_creating_deployment_id'
_CREATED = '_component_create_deployment_id'
_DEPENDS = '_component_create_idd'
_RUNNING = '_component_execution'
_SUFFIXES = 10


@operation(resumable=True)
@_config.fails_for_good
def upload_blueprint(**inputs):
    _uploads.upload_blueprint(_config.Target(inputs).client, _config.resource(inputs, 'blueprint'))
    return True


@operation(resumable=True)
@_config.fails_for_good
def create(timeout=_waiting.TIMEOUT, interval=_waiting.INTERVAL, **inputs):
    """Creates the deployment and waits until it can be installed."""
    place = _config.Target(inputs)
    _uploads.create_secrets(place.client, _config.setting('secrets', inputs))
    _uploads.upload_plugins(place.client, _config.setting('plugins', inputs))
    config = _config.resource(inputs, 'deployment')
    if config.get('external_resource'):
        deployment_id = _config.deployment_id(inputs)
        ctx.instance.runtime_properties['deployment'] = {'id': deployment_id}
    else:
        deployment_id = _create_deployment(place, config, inputs)
        _config.once(_DEPENDS, place.dependency(deployment_id).create)
    execution_id = place.client.deployments.get(deployment_id, _include=['id', 'create_execution'])['create_execution']
    if not execution_id:
        raise NonRecoverableError('No create execution found for deployment "{0}"'.format(deployment_id))
    _waiting.Run(place.client, execution_id, ctx.instance, config.get('logs', True)).wait(
        timeout, interval, inputs.get('workflow_state', 'terminated'))
    return True


def _create_deployment(place, config, inputs):
    labels = list(config.get('labels') or [])
    if not place.is_elsewhere:
        labels = [label for label in labels if not isinstance(label, dict) or 'csys-obj-parent' not in label]
        labels.append({'csys-obj-parent': ctx.deployment.id})
    _config.check_labels(labels, 'deployment')

    options = {'blueprint_id': _config.blueprint_id(inputs), 'inputs': config.get('inputs') or {}, 'labels': labels}
    base = _config.deployment_id(inputs)
    names = ['{0}-{1}'.format(base, n) for n in range(_SUFFIXES)] if config.get('auto_inc_suffix') else [base]
    deployment_id = _config.once(_CREATED, lambda: _create_first(place, names, options))
    ctx.instance.runtime_properties['deployment'] = {'id': deployment_id}
    ctx.logger.info('Created the deployment "%s"', deployment_id)
    return deployment_id


def _create_first(place, names, options):
    """Creates a deployment of the first name that is free, and returns the name."""
    known = ctx.instance.runtime_properties
    begun = known.get(_CREATING)  # by a run of the operation that was cut off
    for name in names:
        known[_CREATING] = name
        ctx.instance.update()
        try:
            place.client.deployments.create(deployment_id=name, async_create=True, **options)
            return name
        except CloudifyClientError as error:
            if error.status_code != 409:
                raise
            if name == begun and _is_child(place, name):
                return name
            if name == names[-1]:
                raise


def _is_child(place, name):
    labels = place.client.deployments.get(name)['labels'] or ()
    return place.is_elsewhere or any(
        (label['key'], label['value']) == ('csys-obj-parent', ctx.deployment.id) for label in labels)


@operation(resumable=True)
@_config.fails_for_good
def execute_start(timeout=_waiting.TIMEOUT, interval=_waiting.INTERVAL, **inputs):
    """Runs a workflow of the deployment and waits for its end."""
    client = _config.Target(inputs).client
    config = _config.resource(inputs, 'deployment')
    deployment_id = _config.deployment_id(inputs)
    workflow_id = inputs.get('workflow_id', 'create_deployment_environment')
    execution_id = _begun(workflow_id)
    if not execution_id:
        if not _waiting.until(lambda: _waiting.is_idle(client, deployment_id), timeout):
            return ctx.operation.retry('The "{0}" deployment is not ready for execution.'.format(deployment_id))
        arguments = dict((_config.setting('resource_config', inputs) or {}).get('executions_start_args') or {})
        if workflow_id == ctx.workflow_id:
            arguments['parameters'] = ctx.workflow_parameters
        ctx.logger.info('Starting the workflow "%s" of the deployment "%s"', workflow_id, deployment_id)
        execution_id = _begin(client, deployment_id, workflow_id, arguments)
    try:
        _waiting.Run(client, execution_id, ctx.instance, config.get('logs', True)).wait(
            timeout, interval, inputs.get('workflow_state', 'terminated'))
    finally:
        _config.forget(_RUNNING)
    _state.store_capabilities(client, deployment_id)
    return True


def _begun(workflow_id):
    """The execution that a run of this operation that was cut off has started."""
    known = ctx.instance.runtime_properties.get(_RUNNING) or {}
    if known.get('workflow_id') == workflow_id and known.get('parent') == ctx.execution_id:
        return known['id']


def _begin(client, deployment_id, workflow_id, arguments):
    """Starts a workflow, known before it is waited for, so that it isn't started
    twice if this runs again."""
    execution = client.executions.start(deployment_id, workflow_id, **arguments)
    ctx.instance.runtime_properties[_RUNNING] = {
        'workflow_id': workflow_id, 'parent': ctx.execution_id, 'id': execution['id']}
    ctx.instance.update()
    return execution['id']


@operation(resumable=True)
@_config.fails_for_good
def delete(timeout=_waiting.TIMEOUT, interval=_waiting.INTERVAL, **inputs):
    """Deletes the deployment, and what was uploaded for it."""
    place = _config.Target(inputs)
    deployment_id = _config.deployment_id(inputs)
    if not _config.resource(inputs, 'deployment').get('external_resource'):
        _waiting.until_idle(place.client, deployment_id, timeout)
        _delete_deployment(place.client, deployment_id, timeout, interval)
        if _DEPENDS in ctx.instance.runtime_properties:
            place.dependency(deployment_id).delete(is_component_deletion=True)
    if not _config.resource(inputs, 'blueprint').get('external_resource'):
        _uploads.delete_blueprint(place.client, _config.blueprint_id(inputs))
    _uploads.delete_plugins(place.client)
    _uploads.delete_secrets(place.client, _config.setting('secrets', inputs))
    _config.forget('deployment', 'blueprint', _CREATING, _CREATED, _DEPENDS, _RUNNING)
    return True


def _delete_deployment(client, deployment_id, timeout, interval):
    if not _uploads.exists(client.deployments, deployment_id):
        ctx.logger.warning('The deployment "%s" is gone already.', deployment_id)
        return
    ctx.logger.info('Deleting the deployment "%s"', deployment_id)
    client.deployments.delete(deployment_id)
    if not _waiting.until(lambda: not _uploads.exists(client.deployments, deployment_id), timeout, interval):
        raise NonRecoverableError('The deployment "{0}" was not deleted within {1} seconds.'.format(deployment_id, timeout))


@operation(resumable=True)
@_config.fails_for_good
def refresh(**inputs):
    _state.store_capabilities(_config.Target(inputs).client, _config.deployment_id(inputs))


@operation(resumable=True)
def check_status(timeout=_waiting.TIMEOUT, **inputs):
    """Runs check_status on the deployment, and looks at how it is."""
    client, deployment_id = _run_there('check_status', timeout, inputs)
    _state.check(client.deployments.get(deployment_id))


@operation(resumable=True)
def check_drift(timeout=_waiting.TIMEOUT, **inputs):
    """Which parts of the deployment are not as the node wants them; None if all are."""
    client, deployment_id = _run_there('check_drift', timeout, inputs)
    deployment = client.deployments.get(deployment_id)
    blueprint = client.blueprints.get(deployment['blueprint_id'])
    wanted = ctx.node.properties.get('resource_config') or {}
    drift = {
        'client': bool(_config.setting('client', inputs)),
        'capabilities': _state.differences(
            client.deployments.capabilities.get(deployment_id)['capabilities'],
            ctx.instance.runtime_properties.get('capabilities')),
        'deployment': _deployment_drift(wanted.get('deployment') or {}, deployment),
        'blueprint': _blueprint_drift(wanted.get('blueprint') or {}, blueprint),
    }
    return {part: changed for part, changed in drift.items() if changed} or None


def _deployment_drift(wanted, deployment):
    drift = []
    name = deployment['id']
    if wanted.get('auto_inc_suffix'):
        name = name.rpartition('-')[0]
    if wanted.get('id') and wanted['id'] != name:
        drift.append('id')
    if wanted.get('labels') and _state.wanted_labels(wanted['labels']) != _state.own_labels(deployment):
        drift.append('labels')
    if wanted.get('inputs') and wanted['inputs'] != deployment['inputs']:
        drift.append('inputs')
    return drift


def _blueprint_drift(wanted, blueprint):
    drift = []
    if wanted.get('id') and wanted['id'] != blueprint['id']:
        drift.append('id')
    if wanted.get('labels') and _state.wanted_labels(wanted['labels']) != _state.own_labels(blueprint):
        drift.append('labels')
    return drift


@operation(resumable=True)
def heal(timeout=_waiting.TIMEOUT, **inputs):
    """Heals the deployment; drift is what an update is for."""
    client, deployment_id = _there(inputs)
    if not _begun('heal') and not _is_under_way(client, deployment_id, 'heal'):
        _wait_for_others(client, deployment_id, timeout)
        execution_id = _begin(client, deployment_id, 'heal', {})
        ctx.logger.info('The workflow "heal" of the deployment "%s" runs as execution %s', deployment_id, execution_id)
    try:
        _waiting.until_idle(client, deployment_id, timeout)
    finally:
        _config.forget(_RUNNING)
    _state.check(client.deployments.get(deployment_id), drift_is_bad=False)


@operation(resumable=True)
def update(timeout=_waiting.TIMEOUT, **inputs):
    """Brings the deployment to what the node wants, by the drift that was found."""
    client = _config.Target(inputs).client
    deployment_id = _config.deployment_id(inputs)
    drift = ctx.instance.drift or {}
    of_deployment, of_blueprint = drift.get('deployment') or (), drift.get('blueprint') or ()
    if drift.get('client'):
        raise NonRecoverableError('Update not available for "{0}" because of client drift'.format(deployment_id))
    if 'id' in of_deployment:
        raise NonRecoverableError('Update not available for "{0}" because of deployment_id change'.format(deployment_id))
    wanted = ctx.node.properties.get('resource_config') or {}
    deployment = wanted.get('deployment') or {}
    change = {}
    if 'id' in of_blueprint:
        change['blueprint_id'] = wanted['blueprint'].get('id')
    if 'inputs' in of_deployment:
        change['inputs'] = deployment.get('inputs')
    _waiting.until_idle(client, deployment_id, timeout)  # with what a run of this that was cut off has begun
    if change:
        client.deployment_updates.update_with_existing_blueprint(deployment_id, **change)
    if 'labels' in of_deployment:
        labels = [{label['key']: label['value']} for label in client.deployments.get(deployment_id)['labels']]
        client.deployments.update_labels(deployment_id, labels + [l for l in deployment['labels'] if l not in labels])
    _waiting.until_idle(client, deployment_id, timeout)
    _state.store_capabilities(client, deployment_id)
    _state.check(client.deployments.get(deployment_id))


def _run_there(workflow_id, timeout, inputs):
    """Runs a workflow of the deployment; how it ends is seen by how the deployment is."""
    client, deployment_id = _there(inputs)
    if not _is_under_way(client, deployment_id, workflow_id):
        _wait_for_others(client, deployment_id, timeout)
        execution = client.executions.start(deployment_id, workflow_id)
        ctx.logger.info('The workflow "%s" of the deployment "%s" runs as execution %s', workflow_id, deployment_id, execution['id'])
    _waiting.until_idle(client, deployment_id, timeout)
    return client, deployment_id


def _is_under_way(client, deployment_id, workflow_id):
    """Whether the workflow runs there already. It is waited for then, whoever started
    it: this may have, in a run that was cut off."""
    found = _waiting.under_way(client, deployment_id, workflow_id=workflow_id)
    if found:
        ctx.logger.info('The workflow "%s" of the deployment "%s" is under way: %s', workflow_id, deployment_id, found[0]['id'])
    return bool(found)


def _wait_for_others(client, deployment_id, timeout):
    """A deployment that is busy is not ill."""
    busy = _waiting.under_way(client, deployment_id)
    if busy:
        ctx.logger.info('The deployment "%s" is busy with execution %s, which is waited for', deployment_id, busy[0]['id'])
        _waiting.until_idle(client, deployment_id, timeout)


def _there(inputs):
    """A client of the manager where the deployment is, and its id. A deployment that
    is gone is so for all retries."""
    client = _config.Target(inputs).client
    deployment_id = _config.deployment_id(inputs)
    if not _uploads.exists(client.deployments, deployment_id):
        raise NonRecoverableError('The deployment "{0}" is gone'.format(deployment_id))
    return client, deployment_id
