"""What the REST API's refusals are raised as, by their error_code."""


class CloudifyClientError(Exception):
    """A request was refused. status_code is -1 if there was no answer."""

    def __init__(self, message, server_traceback=None, status_code=-1, error_code=None, response=None):
        super(CloudifyClientError, self).__init__(message)
        self.message = self._message = message
        self.server_traceback = server_traceback
        self.status_code = status_code
        self.error_code = error_code
        self.response = response

    def __str__(self):
        text = self._message
        last = (self.server_traceback or '').strip().rpartition('\n')[2]
        if last:
            text = '{0} ({1})'.format(text, last)
        return '{0}: {1}'.format(self.status_code, text) if self.status_code != -1 else str(text)


ERROR_MAPPING = {}


def _error(name, code):
    error = type(name, (CloudifyClientError,), {'ERROR_CODE': code, '__module__': __name__})
    ERROR_MAPPING[code] = error
    return error


DeploymentEnvironmentCreationInProgressError = _error(
    'DeploymentEnvironmentCreationInProgressError', 'deployment_environment_creation_in_progress_error')
DeploymentEnvironmentCreationPendingError = _error(
    'DeploymentEnvironmentCreationPendingError', 'deployment_environment_creation_pending_error')
IllegalExecutionParametersError = _error('IllegalExecutionParametersError', 'illegal_execution_parameters_error')
NoSuchIncludeFieldError = _error('NoSuchIncludeFieldError', 'no_such_include_field_error')
MissingRequiredDeploymentInputError = _error(
    'MissingRequiredDeploymentInputError', 'missing_required_deployment_input_error')
UnknownDeploymentInputError = _error('UnknownDeploymentInputError', 'unknown_deployment_input_error')
UnknownDeploymentSecretError = _error('UnknownDeploymentSecretError', 'unknown_deployment_secret_error')
UnsupportedDeploymentGetSecretError = _error(
    'UnsupportedDeploymentGetSecretError', 'unsupported_deployment_get_secret_error')
FunctionsEvaluationError = _error('FunctionsEvaluationError', 'functions_evaluation_error')
UnknownModificationStageError = _error('UnknownModificationStageError', 'unknown_modification_stage_error')
ExistingStartedDeploymentModificationError = _error(
    'ExistingStartedDeploymentModificationError', 'existing_started_deployment_modification_error')
DeploymentModificationAlreadyEndedError = _error(
    'DeploymentModificationAlreadyEndedError', 'deployment_modification_already_ended_error')
UserUnauthorizedError = _error('UserUnauthorizedError', 'unauthorized_error')
ForbiddenError = _error('ForbiddenError', 'forbidden_error')
PluginInUseError = _error('PluginInUseError', 'plugin_in_use')
BlueprintInUseError = _error('BlueprintInUseError', 'blueprint_in_use')
PluginInstallationError = _error('PluginInstallationError', 'plugin_installation_error')
PluginInstallationTimeout = _error('PluginInstallationTimeout', 'plugin_installation_timeout')
MaintenanceModeActiveError = _error('MaintenanceModeActiveError', 'maintenance_mode_active')
MaintenanceModeActivatingError = _error('MaintenanceModeActivatingError', 'entering_maintenance_mode')
NotModifiedError = _error('NotModifiedError', 'not_modified')
InvalidExecutionUpdateStatus = _error('InvalidExecutionUpdateStatus', 'invalid_exception_status_update')
NotClusterMaster = _error('NotClusterMaster', 'not_cluster_master')
RemovedFromCluster = _error('RemovedFromCluster', 'removed_from_cluster')
DeploymentPluginNotFound = _error('DeploymentPluginNotFound', 'deployment_plugin_not_found')
IncompatibleClusterArchitectureError = _error(
    'IncompatibleClusterArchitectureError', 'incompatible_cluster_architecture')
ExpiredCloudifyLicense = _error('ExpiredCloudifyLicense', 'expired_cloudify_license')
MissingCloudifyLicense = _error('MissingCloudifyLicense', 'missing_cloudify_license')
InvalidFilterRule = _error('InvalidFilterRule', 'invalid_filter_rule')
DeploymentParentNotFound = _error('DeploymentParentNotFound', 'deployment_parent_not_found_error')
ForbiddenWhileCancelling = _error('ForbiddenWhileCancelling', 'forbidden_while_cancelling')
