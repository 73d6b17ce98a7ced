"""Where the original has node instances."""
from cloudify_rest_client.nodes import NodeInstance, NodeInstancesClient

__all__ = ['NodeInstance', 'NodeInstancesClient']
