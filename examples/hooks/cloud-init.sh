#!/bin/sh
# First steps on a machine that refleet has rebuilt: cloud-init takes a user-data file that is sent over SSH.
#
#   refleet run fleet.csv --on-done 'examples/hooks/cloud-init.sh /srv/user-data.yaml'
#
# Needs ssh, sshpass and python3 here, and an image with cloud-init. The machine is trusted by the host key
# that refleet has seen on it since the rebuild; where it has seen none, nothing is sent.
set -eu

user_data=$(realpath "${1:?which user-data file?}")
known_hosts=$(mktemp)
trap 'rm -f "$known_hosts"' EXIT

# One object on stdin: the address, the port and the host key, one a line.
facts=$(python3 -c '
import json, sys
hook = json.load(sys.stdin)
for field in "ip", "ssh_port", "host_key":
    if not hook[field]:
        sys.exit("service %s: no %s is known" % (hook["service_id"], field))
    print(hook[field])
')
{ read -r ip; read -r port; read -r host_key; } <<FACTS
$facts
FACTS
printf '%s\n' "$host_key" >"$known_hosts"

# The password goes from one descriptor to the other, and stands nowhere.
sshpass -d "${REFLEET_PASSWORD_FD:?this machine has no password}" \
    ssh -F none -p "$port" -o UserKnownHostsFile="$known_hosts" -o StrictHostKeyChecking=yes \
    -o PreferredAuthentications=password -o ConnectTimeout=20 "root@$ip" \
    'mkdir -p /var/lib/cloud/seed/nocloud && cat >/var/lib/cloud/seed/nocloud/user-data &&
     : >/var/lib/cloud/seed/nocloud/meta-data && cloud-init clean && cloud-init init && cloud-init modules --mode=final' \
    <"$user_data"
