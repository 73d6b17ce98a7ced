"""Loggers and events, for code that makes its own."""
import logging

from cloudify import _gaps, _logging
from cloudify.state import current_ctx, current_workflow_ctx

__getattr__ = _gaps.filler(__name__)


class CloudifyBaseLoggingHandler(logging.Handler):
    """Sends records to the log of the execution that ctx belongs to."""

    def __init__(self, ctx=None, out_func=None, message_context_builder=None):
        super(CloudifyBaseLoggingHandler, self).__init__()
        self.ctx = ctx

    def emit(self, record):
        ctx = self.ctx or current_ctx.get_ctx()
        _logging.send(ctx._bridge, self, record)


class CloudifyPluginLoggingHandler(CloudifyBaseLoggingHandler):
    """For operations."""


class CloudifyWorkflowLoggingHandler(CloudifyBaseLoggingHandler):
    """For workflows."""


class CloudifyWorkflowNodeLoggingHandler(CloudifyBaseLoggingHandler):
    """For node instances in workflows."""


class CloudifyCtxLoggingHandler(logging.Handler):
    """Sends records to the logger of a context: the current one, unless one is given."""

    def __init__(self, ctx=None):
        super(CloudifyCtxLoggingHandler, self).__init__()
        self.ctx = ctx

    def emit(self, record):
        if self.ctx is not None:
            self.ctx.logger.log(record.levelno, self.format(record))
            return
        try:
            logger = current_ctx.get_ctx().logger
        except RuntimeError:
            try:
                logger = current_workflow_ctx.get_ctx().logger
            except RuntimeError:
                return
        logger.handle(record)


def init_cloudify_logger(handler, logger_name, logging_level=logging.DEBUG):
    """A logger of that name with that handler alone."""
    logger = logging.getLogger(logger_name)
    logger.setLevel(logging_level)
    logger.handlers = [handler]
    logger.propagate = False
    return logger


def send_plugin_event(ctx, message=None, args=None, additional_context=None, out_func=None):
    """Tells something in the events of an operation."""
    ctx.send_event(message)


def send_workflow_event(ctx, event_type, message=None, args=None, additional_context=None, out_func=None):
    ctx.send_event(message, event_type=event_type)


def send_workflow_node_event(ctx, event_type, message=None, args=None, additional_context=None, out_func=None,
                             skip_send=False):
    ctx.send_event(message)
