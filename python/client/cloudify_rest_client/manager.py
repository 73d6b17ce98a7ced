"""The manager itself."""
from typing import Any, Dict

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import ListResponse, Resource


class ConfigItem(Resource):
    """An item of the configuration."""

    name: str
    value: Any
    schema: Any
    scope: Any
    updater_name: str
    updated_at: str
    is_editable: bool
    admin_only: bool


class ManagerItem(Resource):
    """A manager."""

    id: str
    hostname: str
    private_ip: str
    public_ip: str
    version: str
    edition: str
    distribution: str
    distro_release: str
    fs_sync_node_id: str
    networks: Dict[str, str]
    ca_cert_content: str


class RabbitMQBrokerItem(Resource):
    """A message broker, of which this manager has none."""

    name: str
    host: str
    username: str
    password: str
    management_host: str
    port: Any
    params: Any
    ca_cert_content: str
    networks: Dict[str, str]
    is_external: bool


class DBNodeItem(Resource):
    """A machine of the database."""

    name: str
    host: str
    is_external: bool


class ManagerClient(Nouns):

    def get_status(self):
        return self.api.get('/status')

    def get_version(self):
        return self.api.get('/version', versioned_url=False)

    def get_context(self, _include=None):
        return self.api.get('/provider/context', _include=_include)

    def get_config(self, name=None, scope=None):
        if name:
            return ConfigItem(self.api.get('/config/{0}.{1}'.format(scope, name) if scope else '/config/{0}'.format(name)))
        answer = self.api.get('/config', params=given(scope=scope))
        return ListResponse([ConfigItem(item) for item in answer['items']], answer.get('metadata'))

    def put_config(self, name, value, force=False):
        return ConfigItem(self.api.put('/config/{0}'.format(name), data={'value': value, 'force': force}))

    def get_managers(self, hostname=None, _include=None):
        return self._list(ManagerItem, self.api.get('/managers', _include=_include, params=given(hostname=hostname)))

    def get_brokers(self):
        return self._list(RabbitMQBrokerItem, self.api.get('/brokers'))

    def get_db_nodes(self):
        """The machines of the database."""
        return self._list(DBNodeItem, self.api.get('/db-nodes'))

    def create_context(self, name, context):
        """Stores what is known of the provider."""
        return self.api.post('/provider/context', data={'name': name, 'context': context})

    def update_context(self, name, context):
        """Stores what is known of the provider, in the place of what was."""
        return self.api.post('/provider/context', data={'name': name, 'context': context}, params={'update': True})

    @staticmethod
    def _list(kind, answer):
        return ListResponse([kind(item) for item in answer['items']], answer.get('metadata'))
