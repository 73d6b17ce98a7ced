from fabric2 import task

from cloudify import ctx


@task
def greet(connection, who):
    ctx.instance.runtime_properties['task'] = connection.run('echo hello {0}'.format(who)).stdout.strip()
