"""How the deployment of a node is, and what of it has changed."""
from cloudify import ctx
from cloudify.exceptions import NonRecoverableError
from cloudify.models_states import DeploymentState, ExecutionState


def store_capabilities(client, deployment_id, instance=None):
    """Keeps the capabilities of the deployment with the instance, this one by default."""
    capabilities = client.deployments.capabilities.get(deployment_id)['capabilities']
    (instance or ctx.instance).runtime_properties['capabilities'] = capabilities
    # By name only: their values may be nobody's business who reads logs.
    ctx.logger.info('Capabilities of "%s": %s', deployment_id, ', '.join(sorted(capabilities)) or 'none')


def check(deployment, drift_is_bad=True):
    """An error unless the deployment is installed and in a good state."""
    if deployment['installation_status'] != DeploymentState.ACTIVE:
        raise NonRecoverableError("Expected deployment '{0}' to be installed, but got installation status: '{1}'".format(
            deployment['id'], deployment['installation_status']))
    if deployment['deployment_status'] != DeploymentState.GOOD:
        raise NonRecoverableError("Expected deployment '{0}' to be in a good state, but got deployment status: '{1}'".format(
            deployment['id'], deployment['deployment_status']))
    if deployment['latest_execution_status'] == DeploymentState.EXECUTION_STATES_SUMMARY[ExecutionState.FAILED]:
        raise NonRecoverableError("The latest execution for '{0}' failed".format(deployment['id']))
    for count, kind in (('unavailable_instances', 'unavailable'), ('drifted_instances', 'drifted')):
        if deployment[count] > 0 and (drift_is_bad or kind != 'drifted'):
            raise NonRecoverableError('There are {0} {1} instances in deployment {2!r}'.format(
                deployment[count], kind, deployment['id']))


def differences(one, other):
    """The keys whose values differ; what is no dictionary has none."""
    one, other = (d if isinstance(d, dict) else {} for d in (one, other))
    return sorted(key for key in set(one) | set(other) if one.get(key) != other.get(key))


def own_labels(labelled):
    """The labels that people gave: those of the manager's own are left out."""
    return {(label['key'], label['value']) for label in labelled['labels'] or () if not label['key'].startswith('csys-')}


def wanted_labels(labels):
    return {pair for label in labels or () for pair in label.items()}
