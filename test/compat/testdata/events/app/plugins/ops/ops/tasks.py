"""Operations that do what a file says, so that two managers can be told the same."""
import fcntl
import json

from cloudify.exceptions import NonRecoverableError


def run(ctx, side='source', **_):
    if ctx.type == 'node-instance':
        subject, properties = ctx.node.id, ctx.node.properties
    else:
        # Both sides run at once: with one name for both, chance would choose
        # which of them does what the file says.
        subject = '{0}{1}{2}'.format(ctx.source.node.id, '>' if side == 'source' else '<', ctx.target.node.id)
        properties = ctx.source.node.properties
    key = '{0}:{1}'.format(subject, ctx.operation.name.rsplit('.', 1)[-1])
    what = next_of(properties['script'], key)
    if what is None:
        return True if key.endswith(':get_state') else None
    if what == 'fail':
        raise Exception('it failed')
    if what == 'fatal':
        raise NonRecoverableError('it is fatal')
    if what == 'retry':
        return ctx.operation.retry('again', retry_after=0)
    return what


def next_of(path, key):
    """Takes the first of what the file has under the key."""
    with open(path, 'r+') as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        script = json.load(f)
        if not script.get(key):
            return None
        what = script[key].pop(0)
        f.seek(0)
        f.truncate()
        json.dump(script, f)
        return what
