# $1: how many versions of the package there are now.
if [ "$1" = 1 ]; then
  chown root:refleet /etc/refleet
  chmod 0750 /etc/refleet
  install -d -m 0700 -o refleet -g refleet /var/lib/refleet
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  if [ "$1" -gt 1 ]; then
    systemctl try-restart refleet-work.service
  fi
fi
