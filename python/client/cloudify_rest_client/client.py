"""The client: one attribute for each noun of the API."""
from cloudify_rest_client.agents import AgentsClient
from cloudify_rest_client.blueprints import BlueprintsClient
from cloudify_rest_client.deployment_modifications import DeploymentModificationsClient
from cloudify_rest_client.deployment_updates import DeploymentUpdatesClient
from cloudify_rest_client.deployments import DeploymentGroupsClient, DeploymentsClient
from cloudify_rest_client.evaluate import EvaluateClient
from cloudify_rest_client.events import EventsClient
from cloudify_rest_client.exceptions import CloudifyClientError
from cloudify_rest_client.execution_schedules import ExecutionSchedulesClient
from cloudify_rest_client.executions import ExecutionGroupsClient, ExecutionsClient
from cloudify_rest_client.filters import FiltersClient
from cloudify_rest_client.http import HTTPClient
from cloudify_rest_client.inter_deployment_dependencies import InterDeploymentDependencyClient
from cloudify_rest_client.labels import LabelsClient
from cloudify_rest_client.license import LicenseClient
from cloudify_rest_client.maintenance import MaintenanceModeClient
from cloudify_rest_client.manager import ManagerClient
from cloudify_rest_client.node_instances import NodeInstancesClient
from cloudify_rest_client.nodes import NodesClient
from cloudify_rest_client.operations import OperationsClient, TasksGraphClient
from cloudify_rest_client.permissions import PermissionsClient
from cloudify_rest_client.plugins import PluginsClient
from cloudify_rest_client.plugins_update import PluginsUpdateClient
from cloudify_rest_client.resources import ResourcesClient
from cloudify_rest_client.secrets import SecretsClient
from cloudify_rest_client.secrets_providers import SecretsProvidersClient
from cloudify_rest_client.sites import SitesClient
from cloudify_rest_client.snapshots import SnapshotsClient
from cloudify_rest_client.summary import SummariesClient
from cloudify_rest_client.tenants import TenantsClient
from cloudify_rest_client.tokens import TokensClient
from cloudify_rest_client.user_groups import UserGroupsClient
from cloudify_rest_client.users import UsersClient
from cloudify_rest_client.workflows import WorkflowsClient

__all__ = ['CloudifyClient', 'CloudifyClientError', 'HTTPClient']


class CloudifyClient(object):
    """Speaks to a manager; takes what HTTPClient takes."""

    client_class = HTTPClient

    def __init__(self, host='localhost', port=None, protocol='http', api_version='v3.1', headers=None,
                 query_params=None, cert=None, trust_all=False, username=None, password=None, token=None, tenant=None,
                 kerberos_env=None, timeout=None, session=None):
        self.host = host
        self._client = api = self.client_class(
            host, port or (443 if protocol == 'https' else 80), protocol, api_version, headers, query_params, cert,
            trust_all, username, password, token, tenant, kerberos_env, timeout, session)
        self.blueprints = BlueprintsClient(api)
        self.deployments = DeploymentsClient(api)
        self.deployment_groups = DeploymentGroupsClient(api)
        self.deployment_modifications = DeploymentModificationsClient(api)
        self.deployment_updates = DeploymentUpdatesClient(api)
        self.executions = ExecutionsClient(api)
        self.execution_groups = ExecutionGroupsClient(api)
        self.execution_schedules = ExecutionSchedulesClient(api)
        self.operations = OperationsClient(api)
        self.tasks_graphs = TasksGraphClient(api)
        self.nodes = NodesClient(api)
        self.node_instances = NodeInstancesClient(api)
        self.plugins = PluginsClient(api)
        self.plugins_update = PluginsUpdateClient(api)
        self.secrets = SecretsClient(api)
        self.secrets_providers = SecretsProvidersClient(api)
        self.events = EventsClient(api)
        self.evaluate = EvaluateClient(api)
        self.tenants = TenantsClient(api)
        self.sites = SitesClient(api)
        self.users = UsersClient(api)
        self.user_groups = UserGroupsClient(api)
        self.tokens = TokensClient(api)
        self.agents = AgentsClient(api)
        self.inter_deployment_dependencies = InterDeploymentDependencyClient(api)
        self.manager = ManagerClient(api)
        self.maintenance_mode = MaintenanceModeClient(api)
        self.blueprints_labels = LabelsClient(api, 'blueprints')
        self.deployments_labels = LabelsClient(api, 'deployments')
        self.blueprints_filters = FiltersClient(api, 'blueprints')
        self.deployments_filters = FiltersClient(api, 'deployments')
        self.summary = SummariesClient(api)
        self.permissions = PermissionsClient(api)
        self.license = LicenseClient(api)
        self.snapshots = SnapshotsClient(api)
        self.resources = ResourcesClient(api)
        self.workflows = WorkflowsClient(api)
