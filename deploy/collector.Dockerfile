# The Collector's own image has nothing but its binary: no shell, nothing to ask whether it is healthy, no folder for its queue that
# is its own. Here the same binary stands beside BusyBox.
FROM otel/opentelemetry-collector-contrib:0.161.0 AS collector

FROM busybox:1.37.0
COPY --from=collector /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=collector /otelcol-contrib /otelcol-contrib
RUN mkdir -p /var/lib/otelcol && chown 10001:10001 /var/lib/otelcol
USER 10001:10001
ENTRYPOINT ["/otelcol-contrib"]
