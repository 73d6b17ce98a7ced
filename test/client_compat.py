#!/usr/bin/env python3
"""Runs the client library that Python finds against a manager: the original, or our own.

The manager is named by WINDLASS_URL (http://127.0.0.1:8080), WINDLASS_USER and
WINDLASS_PASSWORD. It should be a fresh one: what this makes has fixed names,
and is removed at the end. Each step checks that the client accepts the answer
and that the answer has the form that clients count on. The exit status is 1
if a step failed.
"""
import base64
import contextlib
import json
import os
import re
import sys
import tempfile
import time
import traceback
import urllib.request
from urllib.parse import urlparse

from cloudify_rest_client import CloudifyClient
from cloudify_rest_client import exceptions as errors

URL = urlparse(os.environ.get("WINDLASS_URL", "http://127.0.0.1:8080"))
USER = os.environ.get("WINDLASS_USER", "admin")
PASSWORD = os.environ["WINDLASS_PASSWORD"]
DATE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
PATIENCE = 60  # seconds

BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_4
description: A greeting, for the compatibility test.
imports:
  - cloudify/types/types.yaml
inputs:
  greeting:
    type: string
    default: hello
  required_one: {}
node_templates:
  base:
    type: cloudify.nodes.Root
  greeter:
    type: cloudify.nodes.Root
    properties: {}
    interfaces:
      cloudify.interfaces.lifecycle:
        start: scripts/start.sh
    relationships:
      - type: cloudify.relationships.depends_on
        target: base
outputs:
  said:
    description: What was said.
    value: { get_attribute: [ greeter, said ] }
capabilities:
  greeting:
    value: { get_input: greeting }
labels:
  from-plan:
    values: [ "yes" ]
blueprint_labels:
  kind:
    values: [ test ]
"""

SCRIPT = """#!/bin/bash
set -e
ctx logger info "about to greet"
ctx instance runtime-properties said "hello from a script"
"""

BROKEN = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [ cloudify/types/types.yaml ]
node_templates:
  a:
    type: no.such.Type
"""


def client(username=USER, password=PASSWORD, tenant="default_tenant", **more):
    return CloudifyClient(
        host=URL.hostname, port=URL.port or 80, protocol=URL.scheme,
        username=username, password=password, tenant=tenant, **more)


c = client()
steps = []


def step(function):
    steps.append(function)
    return function


def same(got, want, what="value"):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def has(item, *keys):
    missing = [k for k in keys if k not in item]
    assert not missing, f"{type(item).__name__} lacks {missing}: has {sorted(item)}"


def is_date(text):
    assert isinstance(text, str) and DATE.match(text), f"not a date: {text!r}"


def is_page(response):
    pagination = response.metadata.pagination
    for member in ("total", "size", "offset"):
        assert isinstance(getattr(pagination, member), int)
    return response.items


@contextlib.contextmanager
def refused(kind, status, message=None):
    try:
        yield
    except kind as e:
        same(e.status_code, status, "status")
        if message:
            assert re.search(message, str(e)), f"message: {e}"
    else:
        raise AssertionError(f"{kind.__name__} with status {status} expected")


@contextlib.contextmanager
def blueprint_dir(text=BLUEPRINT):
    with tempfile.TemporaryDirectory() as top:
        path = os.path.join(top, "bp")
        os.makedirs(os.path.join(path, "scripts"))
        with open(os.path.join(path, "blueprint.yaml"), "w") as f:
            f.write(text)
        script = os.path.join(path, "scripts", "start.sh")
        with open(script, "w") as f:
            f.write(SCRIPT)
        os.chmod(script, 0o755)
        yield os.path.join(path, "blueprint.yaml")


def wait(execution_id):
    until = time.time() + PATIENCE
    while time.time() < until:
        execution = c.executions.get(execution_id)
        if execution.status in execution.END_STATES:
            return execution
        time.sleep(0.1)
    raise AssertionError(f"execution {execution_id} is still {execution.status}")


# The manager.

@step
def version():
    v = c.manager.get_version()
    has(v, "edition", "version", "build", "date", "commit", "distribution", "distro_release")
    assert v["edition"] in ("community", "premium")


@step
def status():
    s = c.manager.get_status()
    same(s["status"], "OK")
    for service in s["services"].values():
        has(service, "status", "is_remote", "extra_info")


@step
def ok_without_credentials():
    with urllib.request.urlopen(f"{URL.geturl()}/api/v3.1/ok") as r:
        same(json.load(r), "OK")


@step
def older_versions_of_the_api():
    for v in ("v1", "v2", "v2.1", "v3", "v3.1"):
        same(client(api_version=v).manager.get_status()["status"], "OK", v)


@step
def config():
    for item in is_page(c.manager.get_config(scope="rest")):
        has(item, "name", "value", "schema", "is_editable", "admin_only", "updated_at", "scope", "updater_name")
        same(item.scope, "rest")
    before = c.manager.get_config("blueprint_folder_max_files")["value"]
    same(c.manager.put_config("rest.blueprint_folder_max_files", before + 1)["value"], before + 1)
    same(c.manager.get_config("blueprint_folder_max_files", scope="rest")["value"], before + 1)
    c.manager.put_config("blueprint_folder_max_files", before)
    authorization = c._client.get("/config")["authorization"]
    assert "sys_admin" in [r["name"] for r in authorization["roles"]]
    assert "viewer" in authorization["permissions"]["blueprint_list"]


@step
def cluster_of_one():
    managers, brokers, nodes = c.manager.get_managers(), c.manager.get_brokers(), c.manager.get_db_nodes()
    same((len(managers), len(brokers), len(nodes)), (1, 1, 1))
    has(managers[0], "hostname", "private_ip", "public_ip", "version", "edition", "networks", "ca_cert_content")
    has(brokers[0], "name", "host", "port", "username", "password", "params", "networks", "is_external")
    has(nodes[0], "name", "host", "is_external")
    same(managers[0].public_ip, brokers[0].host)


@step
def provider_context():
    has(c.manager.get_context(), "name", "context")


@step
def maintenance():
    s = c.maintenance_mode.status()
    same(s.status, "deactivated")
    has(s, "activated_at", "activation_requested_at", "remaining_executions", "requested_by")
    with refused(errors.NotModifiedError, 304):
        c.maintenance_mode.deactivate()


@step
def wrong_credentials():
    with refused(errors.UserUnauthorizedError, 401, "Wrong credentials or locked account"):
        client(password="wrong-password").manager.get_status()
    with refused(errors.UserUnauthorizedError, 401, "No authentication info provided"):
        client(username="nobody").manager.get_status()
    with refused(errors.CloudifyClientError, 401, "No authentication info provided"):
        CloudifyClient(host=URL.hostname, port=URL.port, protocol=URL.scheme).manager.get_status()
    with refused(errors.ForbiddenError, 403, "invalid tenant name: nowhere"):
        client(tenant="nowhere").blueprints.list()
    with refused(errors.CloudifyClientError, 403, "tenant not provided"):
        client(tenant=None).blueprints.list()


# Tenants, users, tokens.

@step
def tenants():
    c.tenants.create("compat_tenant")
    with refused(errors.CloudifyClientError, 409):
        c.tenants.create("compat_tenant")
    names = [t.name for t in is_page(c.tenants.list(sort="name"))]
    assert {"default_tenant", "compat_tenant"} <= set(names), names
    t = c.tenants.get("compat_tenant")
    same(t.users, 0)
    same(c.tenants.get("compat_tenant", _get_data=True).users, {})
    with refused(errors.CloudifyClientError, 404):
        c.tenants.get("nowhere")


@step
def users():
    u = c.users.create("compat_user", "compat-password", "default")
    same((u.username, u.role, u.active), ("compat_user", "default", True))
    has(u, "is_locked", "tenants", "groups", "group_system_roles", "tenant_roles", "show_getting_started", "last_login_at")
    t = c.tenants.add_user("compat_user", "compat_tenant", "viewer")
    same(t.name, "compat_tenant")
    c.tenants.update_user("compat_user", "compat_tenant", "operations")
    roles = c.users.get("compat_user", _get_data=True)
    same(roles["tenants"]["compat_tenant"]["tenant-role"], "operations")
    same(roles["tenant_roles"]["direct"], {"compat_tenant": "operations"})
    with refused(errors.CloudifyClientError, 400, "Invalid role"):
        c.tenants.update_user("compat_user", "compat_tenant", "king")
    assert "compat_user" in [x.username for x in is_page(c.users.list())]
    same(c.users.get_self().username, USER)


@step
def what_a_user_may():
    other = client("compat_user", "compat-password", "compat_tenant")
    same(other.users.get_self().username, "compat_user")
    same(other.blueprints.list().items, [])
    same([t.name for t in other.tenants.list()], ["compat_tenant"])
    with refused(errors.CloudifyClientError, 403, "is not permitted to perform the action"):
        other.secrets.create("k", "v")
    with refused(errors.CloudifyClientError, 403):
        other.users.list()
    with refused(errors.CloudifyClientError, 403, "in the tenant `default_tenant`"):
        client("compat_user", "compat-password").blueprints.list()
    with refused(errors.CloudifyClientError, 401):
        other.permissions.list()
    c.users.set_password("compat_user", "another-password")
    with refused(errors.UserUnauthorizedError, 401):
        other.users.get_self()
    other = client("compat_user", "another-password", "compat_tenant")
    other.users.get_self()
    c.users.deactivate("compat_user")
    with refused(errors.UserUnauthorizedError, 401):
        other.users.get_self()
    c.users.activate("compat_user")
    same(c.users.set_role("compat_user", "sys_admin").role, "sys_admin")
    other.users.list()
    c.users.set_role("compat_user", "default")


@step
def tokens():
    t = c.tokens.create(description="compat", expiration="+10h")
    assert re.match(r"^ctok-[A-Za-z0-9]{10}-[A-Za-z0-9]{40}$", t.value), t.value
    is_date(t.expiration_date)
    by_token = CloudifyClient(host=URL.hostname, port=URL.port, protocol=URL.scheme, token=t.value, tenant="default_tenant")
    same(by_token.users.get_self().username, USER)
    shown = c.tokens.get(t.id)
    assert shown.value.endswith("********"), shown.value
    assert t.id in [x.id for x in is_page(c.tokens.list())]
    c.tokens.delete(t.id)
    with refused(errors.CloudifyClientError, 401):
        by_token.users.get_self()
    with refused(errors.CloudifyClientError, 404, "Could not find token"):
        c.tokens.get(t.id)


@step
def permissions():
    items = is_page(c.permissions.list())
    assert {"role": "viewer", "permission": "blueprint_list"} in [dict(i) for i in items]
    for item in c.permissions.list("viewer"):
        same(item["role"], "viewer")


# Secrets.

@step
def secrets():
    created = c.secrets.create("compat_secret", "s3cret")
    same(created.key, "compat_secret")
    got = c.secrets.get("compat_secret")
    same(got.value, "s3cret")
    is_date(got.created_at)
    with refused(errors.CloudifyClientError, 409):
        c.secrets.create("compat_secret", "other")
    c.secrets.create("compat_secret", "other", update_if_exists=True)
    same(c.secrets.get("compat_secret").value, "other")
    c.secrets.update("compat_secret", value="third", is_hidden_value=True)
    listed = [s for s in is_page(c.secrets.list()) if s.key == "compat_secret"]
    same(len(listed), 1)
    assert "value" not in listed[0], listed[0]
    same(listed[0].is_hidden_value, True)
    with_schema = c.secrets.create("compat_schema", '{"port": 80}', schema={"type": "object", "required": ["port"]})
    same(with_schema.key, "compat_schema")
    same(c.secrets.get("compat_schema").value, {"port": 80})
    with refused(errors.CloudifyClientError, 409, "Error validating secret value"):
        c.secrets.create("compat_bad", "[]", schema={"type": "object"})
    same(c.secrets.set_global("compat_schema")["visibility"], "global")
    with refused(errors.CloudifyClientError, 400, "already has wider visibility"):
        c.secrets.set_visibility("compat_schema", "tenant")
    found = c.secrets.list(constraints={"name_pattern": {"starts_with": "compat_s"}})
    same(sorted(s.key for s in found), ["compat_schema", "compat_secret"])
    exported = [x for x in c.secrets.export() if x["key"] == "compat_secret"]
    same([(x["value"], x["encrypted"]) for x in exported], [("third", False)])
    answer = c.secrets.import_secrets(exported, override_collisions=False)
    same(answer["colliding_secrets"], {"default_tenant": ["compat_secret"]})
    c.secrets.delete("compat_schema")
    c.secrets.delete("compat_secret")
    with refused(errors.CloudifyClientError, 404, "Requested `Secret` with ID `compat_secret` was not found"):
        c.secrets.get("compat_secret")


# Blueprints.

@step
def upload_blueprint():
    with blueprint_dir() as path:
        b = c.blueprints.upload(path, "compat_bp", labels=[{"team": "blue"}])
    same((b.id, b["state"]), ("compat_bp", "uploaded"))
    has(b, "plan", "main_file_name", "description", "created_at", "updated_at", "labels", "upload_execution", "error",
        "error_traceback", "requirements", "is_hidden", "visibility", "tenant_name", "created_by", "resource_availability")
    is_date(b.created_at)
    with blueprint_dir() as path, refused(errors.CloudifyClientError, 409, "blueprint with id=compat_bp already exists"):
        c.blueprints.upload(path, "compat_bp")


@step
def upload_blueprint_and_watch():
    with blueprint_dir() as path:
        c.blueprints.upload(path, "compat_bp2", async_upload=True)
    b = c.blueprints.get("compat_bp2")
    same(wait(b["upload_execution"]["id"]).status, "terminated")
    same(c.blueprints.get("compat_bp2")["state"], "uploaded")


@step
def upload_raw():
    with blueprint_dir() as path:
        b = c.blueprints.upload(path, "compat_raw", legacy=True)
    same(b["state"], "uploaded")
    c.blueprints.delete("compat_raw")


@step
def upload_broken_blueprint():
    with blueprint_dir(BROKEN) as path, refused(errors.CloudifyClientError, 400, "compat_broken"):
        c.blueprints.upload(path, "compat_broken")
    b = c.blueprints.get("compat_broken")
    assert b["state"] in ("invalid", "failed_parsing"), b["state"]
    assert "no.such.Type" in b["error"], b["error"]
    with blueprint_dir() as path:  # another try replaces it
        same(c.blueprints.upload(path, "compat_broken")["state"], "uploaded")
    c.blueprints.delete("compat_broken")


@step
def validate_blueprint():
    """What is only validated is gone afterwards, whatever was wrong with it."""
    for text, status, error in [
        (BLUEPRINT, "terminated", None),
        ("tosca_definitions_version: cloudify_dsl_1_4\nfoo: bar\n", "failed", "'foo' is not in schema."),
    ]:
        with blueprint_dir(text) as path:
            b = c.blueprints.validate(path, "compat_validated")
        run = c.executions.get(b["upload_execution"]["id"])
        wait(run.id)
        run = c.executions.get(run.id)
        same(run.status, status)
        assert not error or error in run.error, run.error
        with refused(errors.CloudifyClientError, 404):
            c.blueprints.get("compat_validated")


@step
def get_blueprint():
    b = c.blueprints.get("compat_bp")
    has(b.plan, "inputs", "nodes", "metadata", "deployment_plugins_to_install", "workflow_plugins_to_install",
        "host_agent_plugins_to_install")
    has(b.plan["inputs"], "greeting", "required_one")
    labels = {(x.key, x.value) for x in b["labels"]}
    assert ("team", "blue") in labels and ("kind", "test") in labels, labels
    same(sorted(c.blueprints.get("compat_bp", _include=["id", "state"])), ["id", "state"])
    with refused(errors.NoSuchIncludeFieldError, 400, "do not exist"):
        c.blueprints.get("compat_bp", _include=["nonsense"])
    with refused(errors.CloudifyClientError, 404, "Requested `Blueprint` with ID `missing` was not found"):
        c.blueprints.get("missing")


@step
def list_blueprints():
    ids = [b.id for b in is_page(c.blueprints.list(sort="id"))]
    same(ids, sorted(ids))
    assert {"compat_bp", "compat_bp2"} <= set(ids), ids
    same([b.id for b in c.blueprints.list(_search="bp2")], ["compat_bp2"])
    same([b.id for b in c.blueprints.list(id="compat_bp")], ["compat_bp"])
    page = c.blueprints.list(_size=1, _offset=1, sort="id")
    same((len(page), page.metadata.pagination.size, page.metadata.pagination.offset), (1, 1, 1))
    same(page.metadata.pagination.total, len(ids))
    by_label = c.blueprints.list(filter_rules=[{"key": "team", "values": ["blue"], "operator": "any_of", "type": "label"}])
    same([b.id for b in by_label], ["compat_bp"])
    same(by_label.metadata.get("filtered"), len(ids) - 1)
    with refused(errors.InvalidFilterRule, 400):
        c.blueprints.list(filter_rules=[{"key": "team", "values": [], "operator": "any_of", "type": "label"}])
    with refused(errors.CloudifyClientError, 400, "Filter keys"):
        c.blueprints.list(nonsense="x")


@step
def change_blueprint():
    b = c.blueprints.update("compat_bp", {"labels": [{"team": "red"}, {"csys-obj-type": "Service"}]})
    same({(x.key, x.value) for x in b["labels"]}, {("team", "red"), ("csys-obj-type", "service")})
    assert "team" in c.blueprints_labels.list_keys().items
    same(c.blueprints_labels.list_key_values("team").items, ["red"])
    assert "csys-obj-type" in c.blueprints_labels.get_reserved_labels_keys().items


@step
def download_blueprint():
    with tempfile.TemporaryDirectory() as top:
        path = c.blueprints.download("compat_bp", os.path.join(top, "out"))
        assert os.path.getsize(path) > 100
        named = os.getcwd()
        os.chdir(top)
        try:
            same(os.path.basename(c.blueprints.download("compat_bp")), "compat_bp.tar.gz")
        finally:
            os.chdir(named)


# Deployments.

@step
def create_deployment():
    with refused(errors.MissingRequiredDeploymentInputError, 400, "required_one"):
        c.deployments.create("compat_bp", "compat_dep")
    with refused(errors.UnknownDeploymentInputError, 400, "strange"):
        c.deployments.create("compat_bp", "compat_dep", inputs={"required_one": 1, "strange": 1})
    with refused(errors.CloudifyClientError, 404):
        c.deployments.create("missing", "compat_dep")
    d = c.deployments.create("compat_bp", "compat_dep", inputs={"required_one": 2.0}, labels=[{"env": ["dev", "test"]}],
                             display_name="Compat")
    same((d.id, d.blueprint_id, d.display_name), ("compat_dep", "compat_bp", "Compat"))
    has(d, "inputs", "outputs", "capabilities", "groups", "scaling_groups", "policy_types", "policy_triggers", "workflows",
        "labels", "site_name", "permalink", "deployment_status", "installation_status", "latest_execution_status",
        "sub_services_count", "sub_environments_count", "environment_type", "deployment_groups", "resource_tags",
        "latest_execution", "create_execution", "unavailable_instances", "drifted_instances", "has_sub_deployments")
    with refused(errors.CloudifyClientError, 409, "already exists"):
        c.deployments.create("compat_bp", "compat_dep", inputs={"required_one": 1})


@step
def get_deployment():
    d = c.deployments.get("compat_dep")
    same(d.inputs, {"greeting": "hello", "required_one": 2.0})
    assert isinstance(d.inputs["required_one"], float)
    names = [w["name"] for w in d.workflows]
    assert {"install", "uninstall", "execute_operation"} <= set(names), names
    for w in d.workflows:
        has(w, "name", "plugin", "operation", "parameters", "is_cascading", "is_available")
    assert {("env", "dev"), ("env", "test"), ("from-plan", "yes")} <= {(x.key, x.value) for x in d.labels}, d.labels
    for label in d.labels:
        is_date(label["created_at"])
        has(label, "created_by")
    same(d["installation_status"], "inactive")
    same(sorted(c.deployments.get("compat_dep", _include=["inputs"])), ["inputs"])


@step
def list_deployments():
    same([d.id for d in is_page(c.deployments.list(blueprint_id="compat_bp"))], ["compat_dep"])
    same([d.id for d in c.deployments.list(_search="PAT_DEP", _search_name="PAT_DEP")], ["compat_dep"])
    same([d.id for d in c.deployments.list(_search="nothing", _search_name="ompa")], ["compat_dep"])
    same(c.deployments.list(_include=["id"])[0], {"id": "compat_dep"})
    rule = {"key": "env", "values": ["dev"], "operator": "any_of", "type": "label"}
    same([d.id for d in c.deployments.list(filter_rules=[rule])], ["compat_dep"])
    same([d.id for d in c.deployments.list(filter_rules=[dict(rule, operator="is_not")])], [])
    attr = {"key": "blueprint_id", "values": ["compat"], "operator": "contains", "type": "attribute"}
    same([d.id for d in c.deployments.list(filter_rules=[rule, attr], sort="created_at", is_descending=True)], ["compat_dep"])
    same([d.id for d in c.deployments.list(constraints={"name_pattern": {"contains": "omp"}})], ["compat_dep"])
    assert "install" in [w.name for w in c.workflows.list(id="compat_dep")]
    assert "install" in [w.name for w in c.workflows.list(filter_rules=[rule])]


@step
def change_deployment():
    d = c.deployments.update_labels("compat_dep", [{"env": "prod"}])
    same({(x.key, x.value) for x in d.labels}, {("env", "prod")})
    same(c.deployments.set_attributes("compat_dep", display_name="New name").display_name, "New name")
    with refused(errors.CloudifyClientError, 409, "already set"):
        c.deployments.set_attributes("compat_dep", inputs={})
    with refused(errors.CloudifyClientError, 400):
        c.deployments.set_attributes("compat_dep")
    same(c.deployments_labels.list_key_values("env").items, ["prod"])


# Executions, events, nodes.

@step
def install():
    with refused(errors.CloudifyClientError, 400, "Workflow nonsense does not exist in the deployment compat_dep"):
        c.executions.start("compat_dep", "nonsense")
    with refused(errors.IllegalExecutionParametersError, 400):
        c.executions.start("compat_dep", "install", parameters={"strange": 1})
    e = c.executions.start("compat_dep", "install")
    has(e, "id", "status", "status_display", "workflow_id", "deployment_id", "blueprint_id", "parameters", "error", "created_at",
        "started_at", "ended_at", "scheduled_for", "is_system_workflow", "is_dry_run", "resume", "total_operations",
        "finished_operations", "deployment_display_name", "created_by", "tenant_name", "visibility")
    assert "token" not in e
    e = wait(e.id)
    same((e.status, e.status_display), ("terminated", "completed"), e.error)
    for moment in (e.created_at, e.started_at, e.ended_at):
        is_date(moment)
    assert e.total_operations == e.finished_operations > 0, (e.total_operations, e.finished_operations)
    same(c.deployments.get("compat_dep")["installation_status"], "active")


@step
def list_executions():
    items = is_page(c.executions.list(deployment_id="compat_dep", sort="created_at"))
    same([e.workflow_id for e in items], ["create_deployment_environment", "install"])
    same(len(c.executions.list(deployment_id="compat_dep", status=["failed", "terminated"])), 2)
    cli = ["id", "workflow_id", "status_display", "is_dry_run", "deployment_id", "created_at", "started_at", "scheduled_for",
           "visibility", "tenant_name", "created_by"]
    same(sorted(c.executions.list(_include=cli)[0]), sorted(cli))
    with refused(errors.CloudifyClientError, 404, "not found"):
        c.executions.get("00000000-0000-0000-0000-000000000000")


@step
def outputs():
    same(c.deployments.outputs.get("compat_dep").outputs, {"said": "hello from a script"})
    same(c.deployments.capabilities.get("compat_dep").capabilities, {"greeting": "hello"})
    answer = c.evaluate.functions("compat_dep", {}, {"a": {"concat": [{"get_input": "greeting"}, "!"]}, "b": [1, 2.5, None]})
    same(answer["payload"], {"a": "hello!", "b": [1, 2.5, None]})


@step
def events():
    e = [x for x in c.executions.list(deployment_id="compat_dep", workflow_id="install")][0]
    page = c.events.list(execution_id=e.id, include_logs=True, sort="reported_timestamp", _offset=0, _size=100)
    items = is_page(page)
    for item in items:
        has(item, "_storage_id", "timestamp", "reported_timestamp", "type", "message", "execution_id", "execution_group_id",
            "workflow_id", "deployment_id", "deployment_display_name", "blueprint_id", "node_name", "node_instance_id",
            "source_id", "target_id", "operation", "error_causes", "manager_name", "agent_name")
        is_date(item["timestamp"])
        if item["type"] == "cloudify_event":
            assert "event_type" in item and "level" not in item
        else:
            assert "level" in item and "logger" in item and "event_type" not in item
    kinds = {i.get("event_type") for i in items}
    assert {"workflow_started", "workflow_succeeded", "task_started", "task_succeeded"} <= kinds, kinds
    assert "about to greet" in [i["message"] for i in items if i["type"] == "cloudify_log"]
    assert all(i["type"] == "cloudify_event" for i in c.events.list(execution_id=e.id))
    same({i["message"] for i in c.events.list(execution_id=e.id, include_logs=True, message="%GREET")}, {"about to greet"})
    last = items[-1]["timestamp"]
    assert len(c.events.list(execution_id=e.id, include_logs=True, from_datetime=last)) >= 1
    same(len(c.events.list(execution_id=e.id, to_datetime="2001-01-01T00:00:00Z")), 0)
    with refused(errors.CloudifyClientError, 400, "Unknown field to filter by"):
        c.events.list(nonsense=1)
    c.events.create(execution_id=e.id, logs=[{"logger": "compat", "level": "INFO", "message": {"text": "posted"}, "context": {}}],
                    events=[{"event_type": "workflow_event", "message": {"text": "posted, too"}, "context": {}}])
    posted = c.events.list(execution_id=e.id, include_logs=True, message="posted%")
    same(sorted(i["message"] for i in posted), ["posted", "posted, too"])


@step
def stream():
    e = [x for x in c.executions.list(deployment_id="compat_dep", workflow_id="install")][0]
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    request = urllib.request.Request(
        f"{URL.geturl()}/api/v3.1/executions/{e.id}/events/stream",
        headers={"Authorization": "Basic " + auth, "Tenant": "default_tenant"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as r:
        same(r.headers["Content-Type"], "text/event-stream")
        text = r.read().decode()
    seqs = [int(n) for n in re.findall(r"^id: (\d+)$", text, re.M)]
    same(seqs, sorted(set(seqs)), "sequence")
    same(len(seqs), c.events.list(execution_id=e.id, include_logs=True).metadata.pagination.total, "events in the stream")
    assert text.rstrip().splitlines()[-2] == "event: end", text[-200:]


@step
def nodes():
    items = is_page(c.nodes.list(deployment_id="compat_dep", sort="id"))
    same([n.id for n in items], ["base", "greeter"])
    for n in items:
        has(n, "type", "type_hierarchy", "properties", "operations", "relationships", "plugins", "plugins_to_install", "host_id",
            "number_of_instances", "planned_number_of_instances", "deploy_number_of_instances", "min_number_of_instances",
            "max_number_of_instances", "actual_number_of_instances", "unavailable_instances", "drifted_instances",
            "deployment_id", "blueprint_id", "created_by")
    n = c.nodes.get("compat_dep", "greeter")
    same(n.type_hierarchy, ["cloudify.nodes.Root"])
    same(n.relationships[0]["target_id"], "base")
    assert n.operations["cloudify.interfaces.lifecycle.start"]["plugin"], n.operations
    same(n.number_of_instances, 1)
    same(c.nodes.get("compat_dep", "nothing"), None)
    types = c.nodes.types.list(deployment_id="compat_dep", node_type="root")
    same([t["type"] for t in types], ["cloudify.nodes.Root"])
    c.nodes.get("compat_dep", "greeter", evaluate_functions=True)


@step
def node_instances():
    items = is_page(c.node_instances.list(deployment_id="compat_dep", node_id="greeter"))
    same(len(items), 1)
    i = c.node_instances.get(items[0].id)
    same((i.state, i.node_id), ("started", "greeter"))
    same(i.runtime_properties["said"], "hello from a script")
    has(i, "version", "index", "host_id", "relationships", "scaling_groups", "system_properties", "is_status_check_ok",
        "has_configuration_drift")
    has(i.relationships[0], "target_id", "target_name", "type")
    new = c.node_instances.update(i.id, runtime_properties={"n": 1, "f": 1.0}, version=i.version)
    same(new.version, i.version + 1)
    same(c.node_instances.get(i.id).runtime_properties, {"n": 1, "f": 1.0})
    with refused(errors.CloudifyClientError, 409, r"Node instance update conflict \[current version="):
        c.node_instances.update(i.id, runtime_properties={}, version=i.version - 1)
    c.node_instances.update(i.id, runtime_properties={"said": "x"}, version=0, force=True)
    with refused(errors.CloudifyClientError, 403):
        c.node_instances.update(i.id, relationships=[], version=1000)
    same([x.id for x in c.node_instances.search([i.id])], [i.id])


@step
def graphs_and_operations():
    e = [x for x in c.executions.list(deployment_id="compat_dep", workflow_id="install")][0]
    graphs = is_page(c.tasks_graphs.list(e.id))
    assert graphs, "install stored no graph"
    has(graphs[0], "id", "name", "execution_id", "created_at")
    same([g.id for g in c.tasks_graphs.list(e.id, name=graphs[0].name)], [graphs[0].id])
    ops = is_page(c.operations.list(graph_id=graphs[0].id))
    has(ops[0], "id", "name", "state", "type", "dependencies", "parameters", "tasks_graph_id", "created_at")
    same(c.operations.get(ops[0].id).id, ops[0].id)
    assert len(c.operations.list(execution_id=e.id, skip_internal=True)) <= len(ops)
    g = c.tasks_graphs.create(e.id, "compat graph", operations=[
        {"id": "11111111-1111-4111-8111-111111111111", "name": "one", "type": "NOPLocalWorkflowTask", "dependencies": [],
         "parameters": {"a": 1}}])
    c.operations.create("22222222-2222-4222-8222-222222222222", g.id, "two", "NOPLocalWorkflowTask", {}, [])
    same(sorted(o["name"] for o in c.operations.list(graph_id=g.id)), ["one", "two"])
    c.operations.update("22222222-2222-4222-8222-222222222222", "succeeded", result=1)
    same(c.operations.get("22222222-2222-4222-8222-222222222222").state, "succeeded")
    c.operations.delete("22222222-2222-4222-8222-222222222222")
    with refused(errors.CloudifyClientError, 404):
        c.operations.get("22222222-2222-4222-8222-222222222222")


@step
def summaries():
    items = c.summary.executions.get("workflow_id", "status", deployment_id="compat_dep")
    install_row = [i for i in items if i["workflow_id"] == "install"][0]
    same(install_row["executions"], 1)
    same(install_row["by status"], [{"status": "terminated", "executions": 1}])
    same(c.summary.node_instances.get("state", deployment_id="compat_dep").items, [{"state": "started", "node_instances": 2}])
    with refused(errors.CloudifyClientError, 400):
        c.summary.deployments.get("nonsense")


@step
def cancel_and_resume():
    e = [x for x in c.executions.list(deployment_id="compat_dep", workflow_id="install")][0]
    with refused(errors.CloudifyClientError, 400, "in status terminated"):
        c.executions.cancel(e.id)
    with refused(errors.CloudifyClientError, 409, "Cannot resume execution"):
        c.executions.resume(e.id)
    with refused(errors.CloudifyClientError, 400, "Invalid relationship - can't change status from terminated to started"):
        c.executions.update(e.id, "started")
    with refused(errors.CloudifyClientError, 404, "was not found"):
        c.executions.cancel("00000000-0000-0000-0000-000000000000")


@step
def files():
    path = "/resources/blueprints/default_tenant/compat_bp/scripts/start.sh"
    same(b"".join(c.resources.get_file(path).bytes_stream()).decode(), SCRIPT)
    with tempfile.TemporaryDirectory() as top:
        name = os.path.join(top, "note.txt")
        with open(name, "w") as f:
            f.write("a note")
        c.resources.upload_deployment_file("compat_dep", "notes/note.txt", name)
        out = os.path.join(top, "out")
        os.mkdir(out)
        c.resources.download_deployment_workdir("compat_dep", out)
        with open(os.path.join(out, "notes", "note.txt")) as f:
            same(f.read(), "a note")
        c.resources.delete_deployment_file("compat_dep", "notes/note.txt")


@step
def empty_lists():
    for name in ("plugins", "sites", "agents", "snapshots", "deployment_groups", "execution_groups", "execution_schedules",
                 "deployment_updates", "deployment_modifications", "inter_deployment_dependencies", "user_groups"):
        same(is_page(getattr(c, name).list()), [], name)


@step
def uninstall_and_delete():
    with refused(errors.CloudifyClientError, 400, "There are live nodes for this deployment"):
        c.deployments.delete("compat_dep")
    same(wait(c.executions.start("compat_dep", "uninstall").id).status, "terminated")
    with refused(errors.CloudifyClientError, 400, "Can't delete blueprint compat_bp"):
        c.blueprints.delete("compat_bp", force=True)
    c.deployments.delete("compat_dep")
    until = time.time() + PATIENCE
    while [d.id for d in c.deployments.list(id="compat_dep")]:
        assert time.time() < until, "the deployment does not go away"
        time.sleep(0.1)
    same(c.executions.list(deployment_id="compat_dep", workflow_id="delete_deployment_environment").items, [])


@step
def clean_up():
    count = c.executions.delete(keep_last=1)
    assert isinstance(count, int)
    c.blueprints.delete("compat_bp")
    c.blueprints.delete("compat_bp2")
    c.tenants.remove_user("compat_user", "compat_tenant")
    c.users.delete("compat_user")
    c.tenants.delete("compat_tenant")


def main():
    failures = 0
    for function in steps:
        name = function.__name__.replace("_", " ")
        try:
            function()
        except Exception as e:  # every step is tried
            failures += 1
            print(f"FAIL {name}: {type(e).__name__}: {e}", flush=True)
            where = [f for f in traceback.extract_tb(e.__traceback__) if f.filename == __file__]
            for frame in where[1:]:
                print(f"     line {frame.lineno}: {frame.line}", flush=True)
        else:
            print(f"ok   {name}", flush=True)
    print(f"{len(steps) - failures} of {len(steps)} steps passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
