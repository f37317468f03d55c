/**
 * What holds of the compose stack without running it. That it is a compose file at all is for the program that `docker compose`
 * reads it with: `test/services-real/Deploy.test.ts`.
 */
import { existsSync, globSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { help } from "../../scratchpad/app/Command/Settings.ts"
import { collectorVariables, compose, dockerfile, folder, read, root, services, variablesOf } from "./stack.ts"

const example = new Map(
  read(".env.example")
    .split("\n")
    .flatMap((line) => {
      const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? []
      return name === undefined ? [] : [[name, value!] as const]
    })
)

/** An exact version: a tag with a dot in it, and neither `latest` nor a branch. */
const isPinned = (image: string): boolean => /^[\w./-]+:v?\d+\.\d+(?:\.\d+)?(?:-[\w.-]+)?$/.test(image)

/** What an image has to ask about health with, as its Dockerfile says. Those without a shell ask themselves. */
const probes: Readonly<Record<string, ReadonlyArray<string>>> = {
  backend: ["node"],
  collector: ["wget"],
  elasticsearch: ["curl"],
  gorse: ["wget"],
  grafana: ["wget"],
  loki: ["/usr/bin/loki"],
  postgres: ["pg_isready"],
  prometheus: ["wget"],
  redis: ["redis-cli"],
  s3: ["wget"],
  tempo: ["/tempo"]
}

/** They listen nowhere: one ends, the other only asks. */
const clients = ["bucket", "traffic"]

describe("the compose stack", () => {
  it("has what the whole picture consists of", () => {
    assert.sameMembers(Object.keys(compose.services), [...Object.keys(probes), ...clients])
  })

  it("pins every image, those that are built here too", () => {
    for (const [name, { build, image }] of services) {
      if (build === undefined) assert.isTrue(isPinned(image!), `${name}: ${image}`)
      else {
        const { from, user } = dockerfile(join(build.context, build.dockerfile))
        assert.isAbove(from.length, 0, name)
        for (const base of from) assert.isTrue(isPinned(base), `${name}: ${base}`)
        assert.isDefined(user, `${name} would run as root`)
        assert.notMatch(user!, /^(?:root|0)(?::|$)/)
      }
    }
    assert.isFalse(isPinned("grafana/tempo:latest"))
    assert.isFalse(isPinned("redis:7"))
    assert.isFalse(isPinned("postgres"))
  })

  it("has the versions that are tested: those of the Collector, the S3 server, Prometheus and Elasticsearch", () => {
    const scripts = (file: string) => readFileSync(join(root, "scripts/services", file), "utf8")
    const version = (file: string) => /const version = "([^"]+)"/.exec(scripts(file))?.[1]
    assert.include(dockerfile("collector.Dockerfile").from[0]!, `:${version("collector.ts")}`)
    assert.strictEqual(compose.services["s3"]!.image, `versity/versitygw:v${version("versitygw.ts")}`)
    assert.strictEqual(compose.services["prometheus"]!.image, `prom/prometheus:v${version("prometheus.ts")}`)
    assert.include(scripts("prometheus/go.mod"), ` v0.${version("prometheus.ts")!.replace(".", "")}`)
    assert.strictEqual(compose.services["elasticsearch"]!.image!.split(":")[1], version("elasticsearch.ts"))
    const { node } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).devDependencies
    assert.strictEqual(dockerfile("backend.Dockerfile").from[0], `node:${node}-bookworm-slim`)
  })

  it("copies into the backend's image what is there, and lets nothing else near it", () => {
    const { copied } = dockerfile("backend.Dockerfile")
    const allowed = read("backend.Dockerfile.dockerignore").split("\n")
    assert.include(allowed, "*")
    for (const path of copied) {
      assert.isTrue(existsSync(join(root, path.replace(/^\.\//, ""))), path)
      assert.include(allowed, `!${path.replace(/^\.\//, "")}`)
    }
    assert.lengthOf(
      allowed.filter((line) => line.startsWith("!")),
      copied.length
    )
    // The other two images copy nothing from here; the folder has .env in it.
    assert.include(read(".dockerignore").split("\n"), "*")
    for (const file of ["collector.Dockerfile", "gorse.Dockerfile"]) assert.isEmpty(dockerfile(file).copied)
  })

  it("asks each service whether it is well, with something that its image has", () => {
    for (const [name, { healthcheck }] of services) {
      if (clients.includes(name)) assert.deepStrictEqual(healthcheck, { disable: true })
      else {
        const [kind, ...words] = healthcheck!.test!
        const program = kind === "CMD-SHELL" ? words[0]!.split(" ")[0]! : words[0]!
        assert.include(["CMD", "CMD-SHELL"], kind)
        assert.include(probes[name]!, program, name)
        for (const word of words) assert.isString(word)
        // BusyBox' wget takes localhost for ::1, where nobody listens.
        assert.notInclude(words.join(" "), "localhost", name)
      }
    }
  })

  it("waits for what is there and can be waited for", () => {
    for (const [name, { depends_on = {} }] of services) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const needed = compose.services[other]
        assert.isDefined(needed, `${name} waits for ${other}`)
        if (condition === "service_healthy") assert.isDefined(needed!.healthcheck?.test, `${name} waits for ${other}`)
        else {
          assert.strictEqual(condition, "service_completed_successfully")
          assert.strictEqual(needed!.restart, "no", `${name} waits for the end of ${other}`)
        }
      }
    }
  })

  it("listens on loopback only", () => {
    const ports = services.flatMap(([, service]) => service.ports ?? [])
    assert.lengthOf(ports, 4)
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:\$\{\w+_PORT:-\d+\}:\d+$/)
  })

  it("limits memory, processors and logs, takes rights away, and asks for none", () => {
    for (const [name, service] of services) {
      const { cpus, memory } = service.deploy!.resources.limits
      assert.isAbove(Number(cpus), 0, name)
      assert.match(memory, /^\d+[MG]$/, name)
      assert.deepStrictEqual((service as any).logging.options, { "max-size": "10m", "max-file": "3" }, name)
      assert.include(service.security_opt!, "no-new-privileges:true", name)
      assert.isUndefined(service.privileged, name)
      for (const volume of service.volumes ?? []) assert.notInclude(volume, "docker.sock", name)
      if (service.read_only === true) assert.deepStrictEqual(service.cap_drop, ["ALL"], name)
    }
    const heap = /-Xmx(\d+)m/.exec(compose.services["elasticsearch"]!.environment!["ES_JAVA_OPTS"]!)![1]
    assert.isAtMost(Number(heap) * 2, 1536, "Elasticsearch needs as much beside its heap")
  })

  it("has no secret in it, only variables that have to be set", () => {
    for (const [name, { command = [], environment = {} }] of services) {
      for (const [key, value] of Object.entries(environment)) {
        if (!/PASSWORD|SECRET|(?:^|_)KEY(?:$|_)|AUTH$/.test(key)) continue
        assert.match(value!, /^\$\{\w+:(?:\?|-\})/, `${name}: ${key}`)
      }
      for (const [, credentials] of JSON.stringify([environment, command]).matchAll(/:\/\/([^/@"]*)@/g))
        assert.match(credentials!, /^\w*:\$\{\w+:\?[^}]*\}$/, name)
    }
    for (const { name, rest } of variablesOf(read("compose.yaml"))) {
      if (example.get(name) === "generate") assert.match(rest, /^:\?/, name)
    }
  })

  it("asks for variables that .env.example has, which has no others and no secret", () => {
    const asked = new Set(variablesOf(read("compose.yaml")).map(({ name }) => name))
    assert.sameMembers([...asked], [...example.keys()])
    for (const [name, value] of example) {
      if (/PASSWORD|_KEY$|SECRET/.test(name)) assert.match(value, /^(?:generate)?$/, name)
    }
    // Defaults are the same in both.
    for (const { name, rest } of variablesOf(read("compose.yaml"))) {
      if (rest.startsWith(":-")) assert.strictEqual(rest.slice(2), example.get(name), name)
    }
  })

  it("mounts files that are there, read-only, and volumes that are declared", () => {
    const named = new Set<string>()
    for (const [name, { volumes = [] }] of services) {
      for (const volume of volumes) {
        const [source, target, mode] = volume.split(":")
        assert.match(target!, /^\//, name)
        if (source!.startsWith("./")) {
          assert.isTrue(existsSync(join(folder, source!)), `${name}: ${source}`)
          assert.strictEqual(mode, "ro", `${name}: ${source}`)
          // Where a path is missing, Docker makes a folder of that name.
          assert.strictEqual(statSync(join(folder, source!)).isFile(), /\.\w+$/.test(target!), `${name}: ${source}`)
        } else named.add(source!)
      }
    }
    assert.sameMembers([...named], Object.keys(compose.volumes))
  })

  it("calls each server by the name of its service", () => {
    for (const [name, { environment = {} }] of services) {
      for (const [key, value] of Object.entries(environment)) {
        const host = /^[a-z]+:\/\/(?:.*@)?([\w.-]+)/.exec(value ?? "")?.[1]
        if (host !== undefined) assert.property(compose.services, host, `${name}: ${key}`)
      }
    }
  })

  it("sets for the backend what the backend and the library know", () => {
    const pages = ["docs/settings.md", ...globSync("docs/services/*.md", { cwd: root })]
    const known = [help, ...pages.map((page) => readFileSync(join(root, page), "utf8"))].join("\n")
    for (const name of Object.keys(compose.services["backend"]!.environment!))
      assert.match(known, new RegExp(`\\b${name}\\b`), name)
    for (const name of Object.keys(compose.services["bucket"]!.environment!))
      assert.property(compose.services["backend"]!.environment!, name)
  })

  it("sets for the Collector what its configuration asks for", () => {
    const asked = collectorVariables("collector.yaml")
    for (const name of Object.keys(compose.services["collector"]!.environment!)) assert.include([...asked], name)
    for (const name of asked) assert.include(read("collector.yaml").split("extensions:")[0]!, name, "explained above")
  })
})
