if ! getent passwd refleet >/dev/null; then
  useradd --system --user-group --home-dir /var/lib/refleet --no-create-home \
    --shell /usr/sbin/nologin refleet
fi
