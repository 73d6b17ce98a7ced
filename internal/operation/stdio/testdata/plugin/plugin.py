"""A plugin without any library: what the protocol is like from the other side."""
import json
import os
import signal
import subprocess
import sys
import time

task = json.loads(sys.stdin.readline())
inputs = task['inputs']
asked = 0


def tell(method, **params):
    print(json.dumps({'method': method, 'params': params}), flush=True)


def ask(method, **params):
    global asked
    asked += 1
    print(json.dumps({'id': asked, 'method': method, 'params': params}), flush=True)
    reply = json.loads(sys.stdin.readline())
    assert reply['id'] == asked, reply
    return reply['type'], reply['payload']


def about():
    c = task['context']
    kind, instance = ask('instance', id=c['self']['instance_id'])
    _, node = ask('node', **c['self'])
    print('this is output')
    print('{"also": "output"}')
    print('and so is this', file=sys.stderr)
    tell('log', level='warning', message='a line')
    tell('event', message='an event')
    tell('log', level='info', message=str(ask('instance', id='nobody')[0]))
    ask('save_instance', id=instance['id'], set={'said': inputs['text']}, remove=['a'])
    print(json.dumps({'id': 'text', 'args': ['node', 'properties', 'port']}), flush=True)
    port = json.loads(sys.stdin.readline())
    command = subprocess.check_output(['ctx', 'instance', 'runtime_properties', 'said'], text=True)
    tell('finish', result={
        'operation': [task['protocol'], task['operation'], c['operation']['name']], 'runtime': instance['runtime_properties'],
        'type': node['type'], 'port': [port['id'], port['type'], port['payload']], 'ctx': command.strip(),
        'cwd': os.getcwd() == c['work_dir'], 'secret': os.environ.get('WINDLASS_SECRET')})


def ends():
    how = inputs['how']
    print('last words', flush=True)
    if how == 'exit':
        sys.exit(3)
    if how == 'silence':
        os._exit(0)
    if how == 'signal':
        os.kill(os.getpid(), signal.SIGKILL)
    if how == 'unknown':
        tell('fail', message='odd', verdict='no such verdict')
    if how == 'strange':
        tell('fail', message='odd', verdict=['a', 'list'])
    if how == 'long':
        sys.stdout.write('x' * (17 << 20))
        sys.stdout.flush()
        time.sleep(600)
    if how == 'deaf':  # neither reads nor stays silent
        for i in range(5000):
            print(json.dumps({'id': i, 'method': 'instance', 'params': {'id': 'web_1'}}), flush=True)
        time.sleep(600)


def fails():
    tell('fail', **inputs)


def stays():
    """Tells its result, and stays, with a child that keeps the output open."""
    tell('log', level='info', message='left %d' % subprocess.Popen(['sleep', '600']).pid)
    if inputs.get('told', True):
        tell('finish', result='told')
    if not inputs.get('leaves'):
        if inputs.get('deaf'):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        tell('log', level='info', message='staying')
        time.sleep(600)


def floods():
    for i in range(inputs['lines']):
        print('printed', i)
        tell('log', level='info', message='logged %d' % i)
    tell('finish', result=None)


{'about': about, 'ends': ends, 'fails': fails, 'stays': stays, 'floods': floods}[task['operation']]()
