"""Names that plugins compare with."""

NODE_INSTANCE = 'node-instance'
RELATIONSHIP_INSTANCE = 'relationship-instance'
DEPLOYMENT = 'deployment'

COMPUTE_NODE_TYPE = 'cloudify.nodes.Compute'
CLOUDIFY_EXECUTION_TOKEN_HEADER = 'Execution-Token'
