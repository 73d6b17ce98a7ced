#!/bin/bash
# Runs real plugins through a manager, from install to uninstall, and checks what
# they leave behind.
#
#   run.sh [utilities|scalelist|proxy|rollback|fabric|terraform|ansible]...
#
# REAL_PLUGINS (.real-plugins) is where wagons and what they are made of are kept;
# see build.sh. Fabric and the terminal speak to an SSH server that is started in a
# network namespace, which takes root; without, or without sshd and terraform, those
# trials are passed over. Exits with 1 if one failed.
# shellcheck disable=SC2317 # functions are called by name
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
keep=${REAL_PLUGINS:-$root/.real-plugins}
here=$root/test/real-plugins
export PATH=$root/bin:/usr/sbin:$PATH

trials=("$@")
[ ${#trials[@]} -gt 0 ] || trials=(utilities scalelist proxy rollback fabric terraform ansible)

declare -A needs=([scalelist]=utilities [proxy]=utilities [rollback]=utilities)
plugins=()
for trial in "${trials[@]}"; do
    plugin=${needs[$trial]:-$trial}
    [[ " ${plugins[*]-} " == *" $plugin "* ]] || plugins+=("$plugin")
done
"$here/build.sh" "$keep" "${plugins[@]}"

work=$(mktemp -d)
chmod 755 "$work"
started=() links=()
namespace=
finish() {
    for pid in "${started[@]-}"; do
        [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null || true
    done
    [ -z "$namespace" ] || { ip netns delete "$namespace" && ip link delete "$namespace"; } 2>/dev/null || true
    [ ${#links[@]} -eq 0 ] || rm -f /opt/manager/resources
    rm -rf "$work"
}
trap finish EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# A server for the requests of the plugin rest. As a proxy it answers everything, so
# that plugins that look whether there is an internet find one.
web=$(free_port)
cat >"$work/web.py" <<'PY'
import http.server
import sys


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.end_headers()
        self.wfile.write(b'{"id": "10", "name": "ann"}')

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Answer).serve_forever()
PY
python3 "$work/web.py" "$web" &
started+=($!)

# An SSH server on an address that is not the manager's, since fabric forwards the
# port of ctx to there.
ssh_host=10.77.31.2
start_ssh() {
    local name=wl$$
    [ "$(id -u)" = 0 ] && command -v sshd >/dev/null && command -v ip >/dev/null || return 1
    ip netns add "$name" || return 1
    namespace=$name
    ip link add "$name" type veth peer name peer netns "$name" &&
        ip addr add 10.77.31.1/30 dev "$name" && ip link set "$name" up &&
        ip -n "$name" addr add $ssh_host/30 dev peer && ip -n "$name" link set peer up &&
        ip -n "$name" link set lo up || return 1
    ssh-keygen -q -t rsa -m PEM -N '' -f "$work/key"
    ssh-keygen -q -t ed25519 -N '' -f "$work/host"
    printf '%s\n' "ListenAddress $ssh_host:22" "HostKey $work/host" "AuthorizedKeysFile $work/key.pub" 'StrictModes no' \
        'PermitRootLogin yes' 'UsePAM no' 'PidFile none' 'PubkeyAcceptedAlgorithms +ssh-rsa' \
        'Subsystem sftp internal-sftp' >"$work/sshd"
    mkdir -p /run/sshd
    ip netns exec "$name" "$(command -v sshd)" -D -f "$work/sshd" &
    started+=($!)
    python3 - "$work/key" >"$work/ssh.yaml" <<PY
import json, sys
print(json.dumps({'ssh_host': '$ssh_host', 'ssh_port': 22, 'ssh_user': 'root', 'ssh_key': open(sys.argv[1]).read()}))
PY
}
ssh=
if start_ssh; then ssh=yes; fi

export CFY_HOME=$work/client
mkdir -p "$work/client"
if [ "$(id -u)" = 0 ] && [ ! -e /opt/manager/resources ]; then # ansible and terraform look there
    mkdir -p /opt/manager
    links=(--resources-link /opt/manager/resources)
fi
http_proxy=http://127.0.0.1:$web no_proxy=127.0.0.1,localhost,$ssh_host \
    cfy manager start --data-dir "$work/data" --listen "127.0.0.1:$(free_port)" "${links[@]}" >"$work/log" 2>&1 &
manager=$!
started+=("$manager")
until grep -qs 'password: ' "$work/log"; do # without it, cfy would make a manager of its own here
    kill -0 "$manager" 2>/dev/null || { cat "$work/log"; exit 1; }
    sleep 0.1
done
for item in task_retries=1 task_retry_interval=1; do cfy config update "$item" >/dev/null; done
for plugin in "${plugins[@]}"; do
    sources=$keep/sources/cloudify-$plugin-plugin
    cfy plugins upload "$keep"/wagons/cloudify-"$plugin"-plugin-*.wgn -y "$sources/plugin.yaml" -y "$sources/plugin_1_4.yaml" \
        -y "$sources/plugin_1_5.yaml" >/dev/null
done

failed=0
quietly() { # COMMAND...: shown if it fails, and then the trial has failed
    "$@" >"$work/out" 2>&1 || {
        echo "    failed: $*"
        tail -n "${TAIL:-25}" "$work/out" | sed 's/^/    /'
        ok=
    }
}
start() { # WORKFLOW [-p ...]
    quietly cfy executions start "$1" -d "$name" --timeout 300 "${@:2}"
}
expect() { # TEXT COMMAND...: the command prints it
    "${@:2}" >"$work/out" 2>&1 || true
    grep -qF -- "$1" "$work/out" || {
        echo "    expected \"$1\" from: ${*:2}"
        tail -n "${TAIL:-25}" "$work/out" | sed 's/^/    /'
        ok=
    }
}

between_utilities() {
    expect '"result_properties"' cfy node-instances get "$(instance rest)"
        for text in 'users:' 'over ssh' '"deep":[1,2]'; do expect "$text" outputs; done
    expect 'hello ann' cat "$work/file.txt"
    start each
    start configuration_update -p 'params={"wanted":5}' -p configuration_node_id=configuration -p 'node_types_to_update=[receiver]'
    expect '"wanted":5' outputs
    for workflow in suspend resume statistics; do start "$workflow"; done
}
between_scalelist() {
    cat >"$work/up.yaml" <<'YAML'
scalable_entity_properties: {base: [{resource_name: base1}], leaf: [{resource_name: leaf1}]}
node_sequence: [leaf, base]
YAML
    start scaleuplist -p "$work/up.yaml"
    expect 'Showing 4 of 4' cfy node-instances list -d scalelist
    start update_operation_filtered -p node_field=resource_name -p node_field_value=leaf1
    start scaledownlist -p scale_node_name=base -p scale_node_field=resource_name -p scale_node_field_value=base1
    expect 'Showing 2 of 2' cfy node-instances list -d scalelist
}
before_proxy() { quietly cfy blueprints upload "$here/blueprints/proxied/blueprint.yaml" -b proxied; }
between_proxy() { expect ann outputs; }
between_rollback() {
    start rollback_deprecated
    expect uninitialized cfy node-instances list -d rollback
    start alt_create
    start alt_delete
}
between_fabric() { expect 'hello' outputs; expect 'ann' outputs; }
between_terraform() {
    expect 'hello ann' outputs
    start terraform_plan
    start refresh_terraform_resources
}
between_ansible() {
    expect 'written by ansible' cat "$work/ansible.txt"
        expect 'play/hosts.yaml' outputs
    start reload_ansible_playbook
}
outputs() { cfy deployments outputs "$name" --json; }
instance() { cfy node-instances list -d "$name" --json | python3 -c "
import json, sys
print(next(i['id'] for i in json.load(sys.stdin) if i['node_id'] == '$1'))"; }

try() {
    local began=$SECONDS inputs=() must=start
    name=$1 ok=yes
    case $name in
    terraform | ansible)
        if [ ${#links[@]} -eq 0 ]; then
            echo "$name: passed over, it looks for its deployment in /opt/manager/resources, which exists already or takes root to make"
            return
        fi ;;
    esac
    case $name in
    utilities | fabric)
        [ -n "$ssh" ] || { echo "$name: passed over, no SSH server can be started here"; return; }
        [ "$name" = fabric ] || inputs=(-i "http_port=$web" -i "file=$work/file.txt")
        inputs+=(-i "$work/ssh.yaml") ;;
    terraform)
        command -v terraform >/dev/null || { echo "$name: passed over, there is no terraform"; return; }
        inputs=(-i "terraform=$(command -v terraform)") ;;
    ansible)
        [ -d "$keep/ansible" ] || python3 -m venv "$keep/ansible"
        "$keep/ansible/bin/pip" install --quiet --disable-pip-version-check --no-index --find-links "$keep/ansible.wheels" ansible
        inputs=(-i "venv=$keep/ansible" -i "file=$work/ansible.txt") ;;
    esac
    ! declare -F "before_$name" >/dev/null || "before_$name"
    quietly cfy blueprints upload "$here/blueprints/$name/blueprint.yaml" -b "$name"
    quietly cfy deployments create "$name" -b "$name" "${inputs[@]}"
    [ "$name" = rollback ] && must=not
    if [ $must = not ]; then # it is to fail, and be rolled back
        ! cfy executions start install -d "$name" --timeout 300 >"$work/out" 2>&1 || { echo '    install did not fail'; ok=; }
    else
        start install
    fi
    "between_$name"
    start uninstall
    quietly cfy deployments delete "$name"
    if [ -n "$ok" ]; then
        echo "$name: well, in $((SECONDS - began)) s"
    else
        echo "$name: FAILED"
        failed=1
    fi
}
for trial in "${trials[@]}"; do try "$trial"; done
exit $failed
