#!/bin/sh
# First steps on a machine that refleet has rebuilt: a playbook for this one host.
#
#   refleet run fleet.csv --on-done 'examples/hooks/ansible.sh /srv/first-steps.yml'
#
# Needs ansible-core, ssh, sshpass and python3 here. The machine is trusted by the host key that refleet has
# seen on it since the rebuild; where it has seen none, nothing is done.
set -eu

playbook=$(realpath "${1:-$(dirname "$0")/first-steps.yml}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The inventory is this one host, and its key is the only one that is known. The password file is a pipe: what
# is written there is read once and is on no disk.
python3 -c '
import json, os, sys
folder = sys.argv[1]
hook = json.load(sys.stdin)
for field in "ip", "ssh_port", "host_key":
    if not hook[field]:
        sys.exit("service %s: no %s is known" % (hook["service_id"], field))
known_hosts = os.path.join(folder, "known_hosts")
with open(known_hosts, "w") as file:
    print(hook["host_key"], file=file)
host = {
    "ansible_host": hook["ip"],
    "ansible_port": hook["ssh_port"],
    "ansible_user": "root",
    "ansible_ssh_common_args": "-F none -o UserKnownHostsFile=%s -o StrictHostKeyChecking=yes" % known_hosts,
}
with open(os.path.join(folder, "host.json"), "w") as file:
    json.dump({"all": {"hosts": {"service-%s" % hook["service_id"]: host}}}, file)
' "$folder"
mkfifo -m 600 "$folder/password"
cat <&"${REFLEET_PASSWORD_FD:?this machine has no password}" >"$folder/password" &

ANSIBLE_HOST_KEY_CHECKING=true ANSIBLE_LOCAL_TEMP="$folder/tmp" ANSIBLE_RETRY_FILES_ENABLED=false \
    ansible-playbook --inventory "$folder/host.json" --connection-password-file "$folder/password" "$playbook" </dev/null
