# Gorse's own image has nothing but its binary, which runs as root. Here the same binary stands beside BusyBox, which asks whether it
# is healthy, and runs as somebody who may write in its folder only.
FROM zhenghaoz/gorse-in-one:0.5.11 AS gorse

FROM busybox:1.37.0
COPY --from=gorse /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=gorse /usr/bin/gorse-in-one /usr/bin/gorse-in-one
RUN mkdir -p /var/lib/gorse && chown 10001:10001 /var/lib/gorse
ENV USER=gorse HOME=/var/lib/gorse
WORKDIR /var/lib/gorse
USER 10001:10001
ENTRYPOINT ["/usr/bin/gorse-in-one", "-c", "/etc/gorse/config.toml"]
