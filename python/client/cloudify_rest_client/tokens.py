"""Tokens of users."""
from typing import Any

from cloudify_rest_client.nouns import Nouns, given
from cloudify_rest_client.responses import Resource


class Token(Resource):
    """A token. Its value is told once, when it is made."""

    id: str
    value: Any
    role: str
    username: str
    description: str
    expiration_date: str
    last_used: str


class TokensClient(Nouns):

    path = '/tokens'
    kind = Token
    identifier = 'token_id'

    def create(self, description=None, expiration=None):
        return self.one(self.api.post(self.path, data=given(description=description, expiration_date=expiration)))
