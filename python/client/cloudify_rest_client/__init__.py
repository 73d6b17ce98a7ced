"""A client of the manager's REST API, on the standard library alone."""
from cloudify_rest_client.client import CloudifyClient, HTTPClient

__all__ = ['CloudifyClient', 'HTTPClient']
