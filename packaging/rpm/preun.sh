if [ "$1" = 0 ] && command -v systemctl >/dev/null; then
  systemctl --quiet disable refleet.timer refleet-work.service
  if [ -d /run/systemd/system ]; then
    systemctl stop refleet.timer refleet.service refleet-work.service
  fi
fi
