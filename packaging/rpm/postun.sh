if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
if [ "$1" = 0 ] && [ -d /var/lib/refleet ]; then
  echo 'refleet: /var/lib/refleet stays, and the user refleet whose it is: only the ledger in it knows what' \
    'was wiped. To delete both: rm -r /var/lib/refleet; userdel refleet'
fi
