"""Licences, of which none is needed."""
from typing import Any, Dict

from cloudify_rest_client.nouns import Nouns
from cloudify_rest_client.responses import Resource


class License(Resource):
    """A licence."""

    customer_id: str
    expiration_date: str
    license_edition: str
    trial: bool
    cloudify_version: str
    capabilities: Dict[str, Any]
    signature: str
    expired: bool


class LicenseClient(Nouns):

    path = '/license'
    kind = License

    def check(self):
        """Raises an error if there is no valid licence, which is never so."""
        self.api.get('/license-check')
