"""What deployments say of those that they depend on."""

DEPENDENCY_CREATOR = 'dependency_creator'
SOURCE_DEPLOYMENT = 'source_deployment'
TARGET_DEPLOYMENT = 'target_deployment'
TARGET_DEPLOYMENT_FUNC = 'target_deployment_func'
EXTERNAL_SOURCE = 'external_source'
EXTERNAL_TARGET = 'external_target'

VALID_ATTRIBUTES = {
    DEPENDENCY_CREATOR, SOURCE_DEPLOYMENT, TARGET_DEPLOYMENT, TARGET_DEPLOYMENT_FUNC, EXTERNAL_SOURCE, EXTERNAL_TARGET,
    'id', 'visibility', 'created_at', 'created_by',
}


def build_deployment_dependency(dependency_creator, **attributes):
    """A dependency as the API takes it; what is None is left out."""
    unknown = sorted(set(attributes) - VALID_ATTRIBUTES)
    if unknown:
        raise RuntimeError('Not valid inter-deployment dependency attribute(s): {0}'.format(', '.join(unknown)))
    dependency = {DEPENDENCY_CREATOR: dependency_creator}
    dependency.update((name, value) for name, value in attributes.items() if value is not None)
    return dependency


def format_dependency_creator(connection_type, to_deployment):
    """The name of what makes a deployment depend on another."""
    return '{0}.{1}'.format(connection_type, to_deployment)
