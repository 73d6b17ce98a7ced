"""Users."""
from typing import Any

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class User(Resource):
    """A user."""

    username: str
    role: str
    group_system_roles: str
    groups: Any
    tenants: Any
    user_tenants: str
    group_tenants: str
    active: bool
    created_at: str
    last_login_at: str
    first_login_at: str
    is_locked: bool


class UsersClient(Nouns):

    path = '/users'
    kind = User
    identifier = 'username'

    def create(self, username, password, role, **_):
        return self.one(self.api.put(self.path, data={'username': username, 'password': password, 'role': role}))

    def get_self(self, **params):
        return self.one(self.api.get('/user', params=params))

    def set_password(self, username, new_password):
        return self.one(self.api.post(self.at(username), data={'password': new_password}))

    def set_role(self, username, new_role):
        return self.one(self.api.post(self.at(username), data={'role': new_role}))

    def _act(self, username, action):
        return self.one(self.api.post(self.at('active', username), data={'action': action}))

    def activate(self, username):
        """Lets a user in again."""
        return self._act(username, 'activate')

    def deactivate(self, username):
        """Keeps a user out."""
        return self._act(username, 'deactivate')

    def unlock(self, username, **_):
        """Lets a user try again who had given wrong passwords."""
        return self.one(self.api.post(self.at('unlock', username)))

    def set_show_getting_started(self, username, flag_value):
        """Notes whether the user is to be shown around."""
        return self.one(self.api.post(self.at(username), data={'show_getting_started': flag_value}))
