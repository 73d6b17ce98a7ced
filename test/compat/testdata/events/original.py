"""Runs one scenario with the original's workflows, in its local environment.

usage: original.py APP TYPES SCRIPT <scenario.json >result.json

What the server does there when an instance is configured or started is done
here, too, since the local environment leaves it out.
"""
import json
import os
import sys
import threading

from cloudify import logs
from cloudify.workflows import local
from dsl_parser.import_resolver.default_import_resolver import DefaultImportResolver

app, types, script = sys.argv[1:]
scenario = json.load(sys.stdin)
sys.path.insert(0, os.path.join(app, 'plugins', 'ops'))
events, lock = [], threading.Lock()


def note(event, **_):
    with lock:
        events.append(event)


class Resolver(DefaultImportResolver):
    def fetch_import(self, import_url, **kwargs):
        if 'types.yaml' in import_url:
            with open(types) as f:
                return f.read()
        return super().fetch_import(import_url, **kwargs)


def with_checks(update):
    def updated(self, node_instance_id, version=0, system_properties=None, state=None, **kwargs):
        if state in ('configured', 'started') and system_properties is None:
            system_properties = dict(self.get_node_instance(node_instance_id).get('system_properties') or {})
            fine = {'ok': True, 'result': None, 'task': None}
            if state == 'configured':
                system_properties['configuration_drift'] = fine
            else:
                system_properties.update(status=fine, previous_status=None)
        return update(self, node_instance_id, version, system_properties=system_properties, state=state, **kwargs)
    return updated


logs.stdout_event_out, logs.stdout_log_out = note, lambda *_, **__: None
local.DeploymentStorage.update_node_instance = with_checks(local.DeploymentStorage.update_node_instance)
env = local.init_env(os.path.join(app, 'blueprint.yaml'), name='d', inputs={'script': script}, resolver=Resolver(),
                     ignored_modules=['cloudify_agent.installer.operations', 'cloudify_agent.operations'])
instances = env.storage.get_node_instances
for i in instances():
    i['state'] = None if scenario.get('fresh') else 'uninitialized'
    env.storage.store_instance(i)
names = {i.id: i.node_id for i in instances()}


def named(text):
    for i, node in names.items():
        text = text.replace(i, node)
    return text


def shape(e):
    context = e['context']
    subject = names.get(context.get('node_id'), '')
    if context.get('source_id'):
        subject = 'a relationship'
    return [subject, e['event_type'], named(e['message']['text']), context.get('operation') or '']


results = []
for step in scenario['steps']:
    with open(script, 'w') as f:
        json.dump(step.get('script', {}), f)
    del events[:]
    parameters = step.get('parameters', {})
    if 'node_instance_id' in parameters:
        parameters['node_instance_id'] = next(i for i, n in names.items() if n == parameters['node_instance_id'])
    failed = False
    try:
        env.execute(step['workflow'], parameters, task_retries=scenario.get('retries', 1), task_retry_interval=0,
                    subgraph_retries=scenario.get('subgraph_retries', 0))
    except Exception:
        failed = True
    results.append({
        'events': [shape(e) for e in events], 'failed': failed, 'states': {i.node_id: i.state for i in instances()},
    })
json.dump(results, sys.stdout)
