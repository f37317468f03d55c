/**
 * The files that the stack mounts, held against each other: who listens where, who sends where, under which names. The Collector's
 * are run by the real Collector, Prometheus' by the real Prometheus (`test/services-real/Deploy.test.ts`). Tempo, Loki and Grafana
 * cannot be had there: for them every key that is written is in the list below, which was read from their references.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { families } from "../../src/export/Metrics.ts"
import { dashboards } from "./grafana.ts"
import * as Logql from "./logql.ts"
import * as Prometheus from "./prometheus.ts"
import { collectorVariables, compose, folder, read, services, yaml } from "./stack.ts"

/** Every key, as a path; elements of lists stand under the list's. */
const paths = (value: unknown, path = ""): ReadonlyArray<string> =>
  Array.isArray(value)
    ? value.flatMap((element) => paths(element, path))
    : typeof value === "object" && value !== null
      ? Object.entries(value).flatMap(([key, inner]) => paths(inner, path === "" ? key : `${path}.${key}`))
      : [path]

/** Tempo 3.0's keys. @see https://grafana.com/docs/tempo/v3.0.x/configuration/manifest/ */
const ofTempo = [
  "server.http_listen_port",
  "server.http_tls_config.cert_file",
  "server.http_tls_config.key_file",
  "distributor.receivers.otlp.protocols.http.endpoint",
  "distributor.receivers.otlp.protocols.http.tls.cert_file",
  "distributor.receivers.otlp.protocols.http.tls.key_file",
  "distributor.receivers.otlp.protocols.http.tls.client_ca_file",
  "storage.trace.backend",
  "storage.trace.wal.path",
  "storage.trace.local.path",
  "storage.trace.s3.bucket",
  "storage.trace.s3.endpoint",
  "storage.trace.s3.region",
  "storage.trace.s3.forcepathstyle",
  "storage.trace.s3.insecure",
  "live_store.wal.path",
  "live_store.shutdown_marker_dir",
  "backend_scheduler.local_work_path",
  "backend_scheduler.provider.compaction.compaction.compaction_window",
  "backend_scheduler.provider.compaction.compaction.block_retention",
  "backend_scheduler.provider.compaction.compaction.compacted_block_retention",
  "backend_worker.compaction.compaction_window",
  "backend_worker.compaction.block_retention",
  "backend_worker.compaction.compacted_block_retention",
  "query_frontend.metrics.max_duration",
  "overrides.defaults.ingestion.rate_limit_bytes",
  "overrides.defaults.ingestion.burst_size_bytes",
  "overrides.defaults.global.max_bytes_per_trace",
  "usage_report.reporting_enabled"
]

/** Loki 3.7's keys. @see https://grafana.com/docs/loki/v3.7.x/configure/ */
const ofLoki = [
  "auth_enabled",
  "server.http_listen_port",
  "common.instance_addr",
  "common.path_prefix",
  "common.replication_factor",
  "common.ring.kvstore.store",
  "common.storage.filesystem.chunks_directory",
  "common.storage.filesystem.rules_directory",
  "schema_config.configs.from",
  "schema_config.configs.store",
  "schema_config.configs.object_store",
  "schema_config.configs.schema",
  "schema_config.configs.index.prefix",
  "schema_config.configs.index.period",
  "limits_config.allow_structured_metadata",
  "limits_config.retention_period",
  "limits_config.otlp_config.resource_attributes.ignore_defaults",
  "limits_config.otlp_config.resource_attributes.attributes_config.action",
  "limits_config.otlp_config.resource_attributes.attributes_config.attributes",
  "compactor.working_directory",
  "compactor.retention_enabled",
  "compactor.delete_request_store",
  "analytics.reporting_enabled"
]

const environment = compose.services["collector"]!.environment!

/** The address that a health check asks. */
const asked = (service: string): URL => {
  const test = compose.services[service]!.healthcheck!.test!.join(" ")
  return new URL(/https?:\/\/[^\s"]+/.exec(test)![0])
}

describe("who listens where", () => {
  it("Tempo takes traces where the Collector sends them, and answers where it is asked", () => {
    const tempo = yaml("tempo.yaml")
    const { endpoint } = tempo.distributor.receivers.otlp.protocols.http
    assert.strictEqual(environment["TEMPO_ENDPOINT"], `http://tempo:${endpoint.split(":")[1]}`)
    assert.match(endpoint, /^0\.0\.0\.0:/, "others than itself send")
    const port = String(tempo.server.http_listen_port)
    assert.deepStrictEqual([asked("tempo").port, asked("tempo").pathname], [port, "/ready"])
    assert.match(compose.services["tempo"]!.ports![0]!, new RegExp(`:${port}$`))
  })

  it("Loki and Prometheus do so too", () => {
    const port = yaml("loki.yaml").server.http_listen_port
    assert.strictEqual(environment["LOKI_ENDPOINT"], `http://loki:${port}/otlp`)
    assert.strictEqual(asked("loki").port, String(port))
    assert.strictEqual(environment["PROMETHEUS_ENDPOINT"], "http://prometheus:9090/api/v1/otlp")
    assert.include(compose.services["prometheus"]!.command!, "--web.enable-otlp-receiver")
  })

  it("the Collector listens where the backend sends, and says how it is where it is asked", () => {
    const port = environment["OTLP_HTTP_ENDPOINT"]!.split(":")[1]
    assert.strictEqual(
      compose.services["backend"]!.environment!["OTEL_EXPORTER_OTLP_ENDPOINT"],
      `http://collector:${port}`
    )
    assert.match(compose.services["collector"]!.ports![0]!, new RegExp(`:${port}$`))
    assert.strictEqual(asked("collector").host, environment["HEALTH_ENDPOINT"])
  })

  it("Prometheus asks services of the stack, and the Collector where it answers", () => {
    const targets: ReadonlyArray<string> = yaml("prometheus.yaml").scrape_configs.flatMap((job: any) =>
      job.static_configs.flatMap((config: any) => config.targets)
    )
    for (const target of targets) assert.property({ ...compose.services, localhost: {} }, target.split(":")[0]!)
    assert.strictEqual(environment["METRICS_HOST"], "0.0.0.0")
    const port = /METRICS_PORT:-(\d+)/.exec(read("collector.yaml"))![1]
    assert.include(targets, `collector:${port}`)
  })

  it("what writes on disk writes into its volume", () => {
    const target = (service: string) =>
      compose.services[service]!.volumes!.map((volume) => volume.split(":")).find(
        ([name]) => !name!.startsWith(".")
      )![1]!
    const inside = (file: string, service: string) => {
      for (const [, path] of read(file).matchAll(
        /(?:path|directory|_dir|path_prefix): (?:\$\{env:\w+:-)?(\/\S*?)\}?$/gm
      ))
        assert.isTrue(`${path}/`.startsWith(`${target(service)}/`), `${file}: ${path}`)
    }
    inside("tempo.yaml", "tempo")
    inside("loki.yaml", "loki")
    inside("collector.yaml", "collector")
    assert.include(compose.services["prometheus"]!.command!, `--storage.tsdb.path=${target("prometheus")}`)
    assert.match(
      compose.services["backend"]!.environment!["OTEL_SPOOL_DIRECTORY"]!,
      new RegExp(`^${target("backend")}/`)
    )
    // The images that are built here own the folder that their volume is made from.
    for (const service of ["backend", "collector", "gorse"]) {
      const { user } = /^USER (?<user>\S+)/m.exec(read(`${service}.Dockerfile`))!.groups!
      assert.match(
        read(`${service}.Dockerfile`),
        new RegExp(`chown ${user === "node" ? "node:node" : user} ${target(service)}\\n`)
      )
    }
  })
})

describe("what is written for servers that cannot be had here", () => {
  it("has only keys that they document", () => {
    for (const file of ["tempo.yaml", "production/tempo.yaml"]) {
      for (const path of paths(yaml(file))) assert.include(ofTempo, path, file)
    }
    for (const path of paths(yaml("loki.yaml"))) assert.include(ofLoki, path)
  })

  it("keeps what is told twice equal: what is deleted when", () => {
    for (const file of ["tempo.yaml", "production/tempo.yaml"]) {
      const { backend_scheduler, backend_worker } = yaml(file)
      assert.deepStrictEqual(backend_scheduler.provider.compaction.compaction, backend_worker.compaction, file)
    }
  })

  it("names for Gorse what the library asks for", () => {
    const config = read("gorse/config.toml")
    assert.match(config, /\[\[recommend\.non-personalized\]\]\nname = "popular"\n/)
    const defined = [...config.matchAll(/\[\[recommend\.([\w-]+)\]\]\nname = "([\w-]+)"/g)].map(
      ([, kind, name]) => `${kind}/${name}`
    )
    for (const [, list] of config.matchAll(/^recommenders = \[(.*)\]$/gm))
      for (const [, name] of list!.matchAll(/"([^"]+)"/g)) assert.include([...defined, "latest"], name)
  })
})

describe("Grafana's provisioning", () => {
  const { datasources } = yaml("grafana/provisioning/datasources/datasources.yaml")
  const source = (uid: string) => datasources.find((one: any) => one.uid === uid)

  it("has the sources that dashboards and links ask for, under uids that stay", () => {
    assert.deepStrictEqual(
      datasources.map(({ type, uid }: any) => [uid, type]),
      [
        ["tempo", "tempo"],
        ["loki", "loki"],
        ["prometheus", "prometheus"]
      ]
    )
    const text = read("grafana/provisioning/datasources/datasources.yaml")
    const used = [
      ...[...text.matchAll(/datasourceUid: (\S+)/g)].map(([, uid]) => uid!),
      ...dashboards.flatMap((dashboard) =>
        [...JSON.stringify(dashboard).matchAll(/"uid":"([^"]+)"/g)].map(([, uid]) => uid!)
      )
    ].filter((uid) => !uid.startsWith("effect-telemetry-") && !uid.startsWith("-- ") && uid !== "__expr__")
    assert.sameMembers([...new Set(used)], ["tempo", "loki", "prometheus"])
    assert.lengthOf(
      datasources.filter(({ isDefault }: any) => isDefault === true),
      1
    )
  })

  it("reaches them where they answer", () => {
    for (const { uid, url } of datasources) {
      assert.property(compose.services, new URL(url).hostname)
      assert.strictEqual(new URL(url).port, asked(uid).port)
    }
  })

  it("leads from a span to its lines and from a line to its trace, by ids", () => {
    const query = source("tempo").jsonData.tracesToLogsV2.query.replaceAll("$$", "$")
    assert.deepStrictEqual(Logql.problemsOf(query.replace("${__span.traceId}", "0af7651916cd43dd8448eb211c80319c")), [])
    assert.include(query, 'trace_id = "${__span.traceId}"')
    const [field] = source("loki").jsonData.derivedFields
    assert.strictEqual(field.matcherRegex, "trace_id")
    assert.strictEqual(field.matcherType, "label", "structured metadata are labels of a line")
    assert.strictEqual(field.url, "$${__value.raw}")
  })

  it("asks Prometheus for metrics that there are", () => {
    for (const { query } of source("tempo").jsonData.tracesToMetrics.queries)
      assert.deepStrictEqual(Prometheus.problemsOf(query.replace("$$__tags", 'job="social-audio"')), [])
    assert.strictEqual(yaml("prometheus.yaml").otlp.translation_strategy, "UnderscoreEscapingWithSuffixes")
    assert.property(families, "otel.sdk.span.started")
  })

  it("finds the dashboards where they are mounted", () => {
    const { providers } = yaml("grafana/provisioning/dashboards/dashboards.yaml")
    const mounted = compose.services["grafana"]!.volumes!.map((volume) => volume.split(":"))
    const [from] = mounted.find(([, to]) => to === providers[0].options.path)!
    const home = compose.services["grafana"]!.environment!["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]!
    const file = join(folder, from!, home.slice(providers[0].options.path.length))
    assert.strictEqual(JSON.parse(readFileSync(file, "utf8")).uid, "effect-telemetry-requests")
  })
})

describe("deploy/make-env.sh", () => {
  const copy = mkdtempSync(join(tmpdir(), "make-env-"))
  afterAll(() => rmSync(copy, { recursive: true }))
  const make = () => spawnSync("sh", [join(copy, "make-env.sh")], { cwd: tmpdir(), encoding: "utf8" })

  it("makes passwords that are random and private, and leaves those alone that are there", () => {
    for (const file of ["make-env.sh", ".env.example"]) cpSync(join(folder, file), join(copy, file))
    const { status, stdout } = make()
    assert.strictEqual(status, 0)
    const made = readFileSync(join(copy, ".env"), "utf8")
    assert.strictEqual(statSync(join(copy, ".env")).mode & 0o777, 0o600)
    const secrets = [...made.matchAll(/=([0-9a-f]{48})$/gm)].map(([, secret]) => secret)
    assert.lengthOf(secrets, [...read(".env.example").matchAll(/=generate$/gm)].length)
    assert.strictEqual(new Set(secrets).size, secrets.length)
    for (const secret of secrets) assert.notInclude(stdout, secret!)
    assert.deepStrictEqual(made.replaceAll(/=[0-9a-f]{48}$/gm, "=generate"), read(".env.example"))

    const again = make()
    assert.strictEqual(again.status, 1)
    assert.include(again.stderr, "is there already")
    assert.strictEqual(readFileSync(join(copy, ".env"), "utf8"), made)
  })
})

describe("the production Collectors", () => {
  it("explain every variable that they ask for", () => {
    for (const file of [
      "collector-agent.yaml",
      "collector-gateway.yaml",
      "agent-dns.yaml",
      "agent-tls.yaml",
      "gateway-tls.yaml"
    ]) {
      const [heading] = read(`production/${file}`).split(/^\w/m)
      for (const name of collectorVariables(`production/${file}`)) assert.include(heading!, name, file)
    }
  })

  it("keep their queues on disk", () => {
    for (const file of ["production/collector-agent.yaml", "production/collector-gateway.yaml", "collector.yaml"]) {
      const { exporters, service } = yaml(file)
      for (const [name, exporter] of Object.entries<any>(exporters))
        assert.strictEqual(exporter.sending_queue.storage, "file_storage", `${file}: ${name}`)
      assert.include(service.extensions, "file_storage")
    }
  })
})

it("no service of the stack is left out of these tests", () => {
  assert.lengthOf(services, 13)
})
