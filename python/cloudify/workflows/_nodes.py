"""Nodes and node instances as workflows see them."""
import copy
from typing import Any, Dict, Iterator, List, Optional, Set

from cloudify.workflows import tasks

_CONTAINED_IN = 'cloudify.relationships.contained_in'


class CloudifyWorkflowRelationship(object):
    """A relationship of a node."""

    def __init__(self, ctx, node, facts):
        self.ctx = ctx
        self.node = node
        self._relationship = facts

    @property
    def type(self) -> str:
        """The relationship's type."""
        return self._relationship['type']

    @property
    def target_id(self) -> str:
        """The id of the target node."""
        return self._relationship['target_id']

    @property
    def target_node(self) -> 'CloudifyWorkflowNode':
        """The target node."""
        return self.ctx.get_node(self.target_id)

    @property
    def source_operations(self) -> Dict[str, dict]:
        """The operations that run on the source's side, by name."""
        return self._relationship.get('source_operations') or {}

    @property
    def target_operations(self) -> Dict[str, dict]:
        """The operations that run on the target's side, by name."""
        return self._relationship.get('target_operations') or {}

    @property
    def properties(self) -> Dict[str, Any]:
        """The relationship's properties."""
        return self._relationship.get('properties') or {}

    def is_derived_from(self, other_relationship: str) -> bool:
        """Tells whether the type is the given one, or derived from it."""
        return other_relationship in (self._relationship.get('type_hierarchy') or [])


class CloudifyWorkflowRelationshipInstance(object):
    """A relationship of a node instance."""

    def __init__(self, ctx, node_instance, facts):
        self.ctx = ctx
        self.node_instance = node_instance
        self._facts = facts

    def __repr__(self):
        return '<Relationship {0} -> {1}>'.format(self.source_id, self.target_id)

    @property
    def type(self) -> str:
        """The relationship's type."""
        return self._facts['type']

    @property
    def source_id(self) -> str:
        """The id of the instance whose relationship it is."""
        return self.node_instance.id

    @property
    def target_id(self) -> str:
        """The id of the target instance."""
        return self._facts['target_id']

    @property
    def target_node_instance(self) -> 'CloudifyWorkflowNodeInstance':
        """The target instance."""
        return self.ctx.get_node_instance(self.target_id)

    @property
    def relationship(self) -> CloudifyWorkflowRelationship:
        """The node's relationship that it was made from."""
        return self.node_instance.node._declared(self._facts)

    def execute_source_operation(self, operation: str, kwargs: Optional[dict] = None,
                                 allow_kwargs_override: bool = False, send_task_events: bool = True):
        """Runs an operation of the relationship on the source's side.

        See CloudifyWorkflowNodeInstance.execute_operation.
        """
        return self.ctx._execute_operation(
            operation, self.node_instance, self.relationship.source_operations, self.target_node_instance, True,
            kwargs, allow_kwargs_override, send_task_events)

    def execute_target_operation(self, operation: str, kwargs: Optional[dict] = None,
                                 allow_kwargs_override: bool = False, send_task_events: bool = True):
        """Runs an operation of the relationship on the target's side."""
        return self.ctx._execute_operation(
            operation, self.target_node_instance, self.relationship.target_operations, self.node_instance, False,
            kwargs, allow_kwargs_override, send_task_events)


class _Facts(dict):
    """What was loaded of a node or an instance: keys, and attributes as well.

    Plugins look into it, as they do with the original's. more gives what was not
    loaded with the rest.
    """

    def __init__(self, facts, more=None):
        super(_Facts, self).__init__(facts)
        self.__dict__['more'] = more

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        if name not in self and self.more is not None:
            return self.more(name)
        return self.get(name)


class CloudifyWorkflowNodeInstance(object):
    """A node instance as it was when it was loaded.

    ctx.refresh_node_instances() loads all anew. Instances with one id are equal.
    """

    def __init__(self, ctx, node, facts):
        self.ctx = ctx
        self._node = node
        self._node_instance = _Facts(facts, self._detail)
        self._details = None
        self._logger = None
        # Of several relationships to one instance the last one counts.
        self._relationship_instances = {
            r['target_id']: CloudifyWorkflowRelationshipInstance(ctx, self, r) for r in facts['relationships']}

    def __eq__(self, other):
        return isinstance(other, CloudifyWorkflowNodeInstance) and self.id == other.id

    def __hash__(self):
        return hash(self.id)

    def __repr__(self):
        return '<NodeInstance {0} ({1})>'.format(self.id, self.state)

    @property
    def id(self) -> str:
        """The instance's id, such as web_a1b2c3."""
        return self._node_instance['id']

    @property
    def node_id(self) -> str:
        """The id of its node."""
        return self._node_instance['node_id']

    @property
    def node(self) -> 'CloudifyWorkflowNode':
        """Its node."""
        return self._node

    @property
    def state(self) -> str:
        """The state when it was loaded, or that set_state gave it since."""
        return self._node_instance['state']

    @property
    def deployment_id(self) -> str:
        """The id of the deployment."""
        return self.ctx.deployment.id

    @property
    def modification(self) -> Optional[str]:
        """What a deployment modification does to it: 'added', 'removed' or None."""
        return self._node_instance.get('modification')

    @property
    def scaling_groups(self) -> List[dict]:
        """The instances of scaling groups that it belongs to: id and name each."""
        return self._node_instance.get('scaling_groups') or []

    @property
    def system_properties(self) -> Dict[str, Any]:
        """What the orchestrator itself notes of the instance."""
        return self._node_instance.get('system_properties') or {}

    @property
    def relationships(self) -> Iterator[CloudifyWorkflowRelationshipInstance]:
        """Its relationships."""
        return iter(self._relationship_instances.values())

    def _detail(self, name):
        if self._details is None:
            self._details = self.ctx._bridge.call('instance', id=self.id)
        return self._details.get(name)

    @property
    def version(self) -> int:
        """The version of its runtime properties, for ctx.update_node_instance."""
        return self._detail('version')

    @property
    def index(self) -> int:
        """Its number among the instances of the node, from 1."""
        return self._detail('index')

    @property
    def runtime_properties(self) -> Dict[str, Any]:
        """A copy of its runtime properties, loaded when they are asked for first."""
        return copy.deepcopy(self._detail('runtime_properties'))

    @property
    def logger(self):
        """A logger whose lines belong to the instance."""
        if self._logger is None:
            from cloudify import _logging
            self._logger = _logging.logger(
                self.ctx._bridge, '{0}-{1}'.format(self.ctx.execution_id, self.id), node_id=self.id)
        return self._logger

    @property
    def contained_instances(self) -> List['CloudifyWorkflowNodeInstance']:
        """The instances that are contained in this one directly."""
        return [instance for instance in self.ctx.node_instances if any(
            r.target_id == self.id and r.relationship.is_derived_from(_CONTAINED_IN)
            for r in instance.relationships)]

    def get_contained_subgraph(self) -> Set['CloudifyWorkflowNodeInstance']:
        """This instance and all that are contained in it, however deep."""
        found, look = set(), [self]
        while look:
            instance = look.pop()
            if instance not in found:
                found.add(instance)
                look.extend(instance.contained_instances)
        return found

    def set_state(self, state: str):
        """Gives the instance a state. In a dry run it does nothing."""
        if self.ctx.dry_run:
            return self.ctx._process_task(tasks.NOPLocalWorkflowTask(self.ctx))
        self._node_instance['state'] = state
        return self.ctx._process_task(tasks.SetNodeInstanceStateTask(
            self.id, state, workflow_context=self.ctx, info=state))

    def get_state(self):
        """Reads the state as it is stored now; the state is the task's result."""
        return self.ctx._process_task(tasks.GetNodeInstanceStateTask(self.id, workflow_context=self.ctx))

    def send_event(self, event: str, additional_context: Optional[dict] = None):
        """Tells something of the instance in the execution's events."""
        return self.ctx._process_task(tasks.SendNodeEventTask(
            self.id, event, additional_context, workflow_context=self.ctx, info=str(event)))

    def execute_operation(self, operation: str, kwargs: Optional[dict] = None, allow_kwargs_override: bool = False,
                          send_task_events: bool = True):
        """Runs an operation, named with its interface.

        kwargs are put among the inputs of the blueprint; to replace one of those
        needs allow_kwargs_override. One that is mapped to nothing does nothing.
        Returns the task in graph mode, else what becomes of it (get() waits).
        """
        return self.ctx._execute_operation(
            operation, self, self.node.operations, None, None, kwargs, allow_kwargs_override, send_task_events)


class CloudifyWorkflowNode(object):
    """A node as it was when it was loaded."""

    def __init__(self, ctx, facts):
        self.ctx = ctx
        self._node = _Facts(facts)
        self._relationships = {
            r['target_id']: CloudifyWorkflowRelationship(ctx, self, r) for r in facts['relationships']}
        self._node_instances = {}

    def __repr__(self):
        return '<Node {0}>'.format(self.id)

    @property
    def id(self) -> str:
        """The node's name in the blueprint."""
        return self._node['id']

    @property
    def type(self) -> str:
        """The node's type."""
        return self._node['type']

    @property
    def type_hierarchy(self) -> List[str]:
        """The type and those that it is derived from, the most general one first."""
        return self._node['type_hierarchy']

    @property
    def properties(self) -> Dict[str, Any]:
        """The properties; functions in them are not evaluated."""
        return self._node['properties']

    @property
    def plugins(self) -> List[dict]:
        """The plugins of its operations."""
        return self._node['plugins']

    @property
    def plugins_to_install(self) -> List[dict]:
        """Those of the plugins that are to be installed."""
        return [p for p in self._node['plugins'] if p.get('install')]

    @property
    def host_id(self) -> Optional[str]:
        """The id of the node that it runs on, if there is one."""
        return self._node['host_id']

    @property
    def host_node(self) -> Optional['CloudifyWorkflowNode']:
        """The node that it runs on."""
        return self.ctx.get_node(self.host_id)

    @property
    def number_of_instances(self) -> int:
        """How many instances it has."""
        return self._node['number_of_instances']

    @property
    def planned_number_of_instances(self) -> int:
        """How many instances it is to have."""
        return self._node['number_of_instances']

    @property
    def operations(self) -> Dict[str, dict]:
        """Its operations by name, with and without their interface."""
        return self._node['operations']

    @property
    def relationships(self) -> Iterator[CloudifyWorkflowRelationship]:
        """Its relationships; of several to one target the last."""
        return iter(self._relationships.values())

    @property
    def instances(self) -> Iterator[CloudifyWorkflowNodeInstance]:
        """Its instances."""
        return iter(self._node_instances.values())

    def has_operation(self, operation_interface: str) -> bool:
        """Tells whether an operation is mapped to something."""
        return bool((self.operations.get(operation_interface) or {}).get('operation'))

    def get_relationship(self, target_id: str) -> Optional[CloudifyWorkflowRelationship]:
        """The relationship to a node, or None."""
        return self._relationships.get(target_id)

    def _declared(self, instance_relationship):
        """The node's relationship that an instance's was made from."""
        for r in self._node['relationships']:
            if r['target_id'] == instance_relationship['target_name'] and r['type'] == instance_relationship['type']:
                return CloudifyWorkflowRelationship(self.ctx, self, r)
        return self._relationships.get(instance_relationship['target_name'])


class WorkflowNodesAndInstancesContainer(object):
    """Nodes and instances that belong together."""

    def __init__(self, ctx, facts):
        self._nodes = {n['id']: CloudifyWorkflowNode(ctx, n) for n in facts['nodes']}
        self._instances = {}
        for i in facts['instances']:
            node = self._nodes.get(i['node_id'])
            if node is None:
                continue
            instance = CloudifyWorkflowNodeInstance(ctx, node, i)
            self._instances[instance.id] = node._node_instances[instance.id] = instance

    @property
    def nodes(self) -> Iterator[CloudifyWorkflowNode]:
        """All nodes. It can be gone through once; ask again for another time."""
        return iter(self._nodes.values())

    @property
    def node_instances(self) -> Iterator[CloudifyWorkflowNodeInstance]:
        """All instances. It can be gone through once; ask again for another time."""
        return iter(self._instances.values())

    def get_node(self, node_id: str) -> Optional[CloudifyWorkflowNode]:
        """The node of that id, or None."""
        return self._nodes.get(node_id)

    def get_node_instance(self, node_instance_id: str) -> Optional[CloudifyWorkflowNodeInstance]:
        """The instance of that id, or None."""
        return self._instances.get(node_instance_id)


class ModificationNodes(WorkflowNodesAndInstancesContainer):
    """The instances that come, or go, with those around them.

    instance.modification tells which is which.
    """

    def refresh_node_instances(self) -> None:
        """They stay as they were when the modification began."""

    def __init__(self, ctx, facts):
        view = copy.copy(ctx)  # looks instances up here
        view._container = self
        super(ModificationNodes, self).__init__(view, facts)


class Modification(object):
    """A change of how many instances there are, between its start and its end."""

    id: str
    added: ModificationNodes
    removed: ModificationNodes

    def __init__(self, ctx, facts):
        self.workflow_ctx = self.ctx = ctx
        self.id = facts['id']
        nodes = [n._node for n in ctx.nodes]
        self.added = ModificationNodes(ctx, {'nodes': nodes, 'instances': facts['added']})
        self.removed = ModificationNodes(ctx, {'nodes': nodes, 'instances': facts['removed']})

    def finish(self) -> None:
        """Makes the change the deployment's; what was removed is gone then."""
        self.ctx._bridge.call('finish_modification', id=self.id)

    def rollback(self) -> None:
        """Takes the change back; what was added is gone then."""
        self.ctx._bridge.call('rollback_modification', id=self.id)
