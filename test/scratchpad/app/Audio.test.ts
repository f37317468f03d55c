import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { makeRecording } from "../../../scratchpad/app/Waveform.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { ask, backendLayer, eventually, expectTrace } from "../support.ts"

const post = { title: "First Light", format: "wav", genre: "lofi", durationSeconds: 2 }
const recording = makeRecording() as Uint8Array<ArrayBuffer>

const upload = (id: string, user: string, body: Uint8Array<ArrayBuffer>) =>
  ask(`/api/v1/posts/${id}/audio`, { method: "PUT", user, body, headers: { "content-type": "audio/wav" } })

layer(backendLayer(), { timeout: "60 seconds", excludeTestServices: true })("recordings", (it) => {
  it.effect("are stored as they come in, and processed by a job that remembers its request", () =>
    Effect.gen(function* () {
      const { id } = (yield* ask("/api/v1/posts", { user: "u_mara", json: post })).json
      const { headers, json, status } = yield* upload(id, "u_mara", recording)
      assert.strictEqual(status, 202)
      assert.deepInclude(json, { id, status: "processing", audioUrl: `/api/v1/posts/${id}/audio`, waveform: null })
      const requestId = headers.get("x-request-id") ?? ""

      const request = yield* expectTrace({
        name: "PUT /api/v1/posts/:id/audio",
        kind: "server",
        children: [
          "db.select",
          {
            name: "audio.upload",
            attributes: { "audio_post.id": id, "file.size_bytes": recording.length, "audio.format": "wav" },
            children: [
              {
                name: "s3.put_object",
                kind: "client",
                attributes: { "s3.key": `audio/${id}.wav`, "s3.size_bytes": recording.length }
              },
              "db.begin",
              "db.update",
              { name: "job.enqueue process_audio", kind: "producer", children: ["db.insert"] },
              "db.commit"
            ]
          }
        ]
      })
      const [, event] = request.children
      const producer = event!.children.find(({ kind }) => kind === "producer")!
      const job = yield* expectTrace({
        name: "job.run process_audio",
        kind: "consumer",
        status: "unset",
        attributes: { "user.id": "u_mara", "request.id": requestId, "job.attempt": 1 },
        links: [{ traceId: producer.traceId, spanId: producer.spanId }],
        children: [
          {
            name: "audio.processing",
            attributes: { "audio_post.id": id, "processing.status": "complete" },
            children: ["db.select", { name: "s3.get_object", attributes: { "s3.key": `audio/${id}.wav` } }, "db.update"]
          }
        ]
      })
      assert.notStrictEqual(job.traceId, request.traceId)
      assert.isUndefined(job.parentSpanId)

      const processed = yield* ask(`/api/v1/posts/${id}`)
      assert.strictEqual(processed.json.status, "ready")
      assert.lengthOf(processed.json.waveform, 48)
      assert.isAbove(processed.json.waveform[0], processed.json.waveform[23])
    })
  )

  it.effect("come back as they were", () =>
    Effect.gen(function* () {
      const { id } = (yield* ask("/api/v1/posts", { user: "u_mara", json: post })).json
      assert.strictEqual((yield* ask(`/api/v1/posts/${id}/audio`)).json.detail, `there is no recording audio/${id}.wav`)
      yield* upload(id, "u_mara", recording)
      const back = yield* ask(`/api/v1/posts/${id}/audio`)
      assert.strictEqual(back.headers.get("content-type"), "audio/wav")
      assert.strictEqual(back.headers.get("content-length"), String(recording.length))
      // The span of the operation lasts until the body has been sent.
      yield* expectTrace({
        name: "GET /api/v1/posts/:id/audio",
        children: ["db.select", { name: "s3.get_object", status: "unset" }]
      })
    })
  )

  it.effect("are taken from their author only, and only with their length", () =>
    Effect.gen(function* () {
      const { id } = (yield* ask("/api/v1/posts", { user: "u_mara", json: post })).json
      const other = yield* upload(id, "u_wren", recording)
      assert.strictEqual(other.status, 403)
      yield* expectTrace({
        name: "PUT /api/v1/posts/:id/audio",
        attributes: { "http.response.status_code": 403 },
        children: ["db.select"]
      })
      assert.strictEqual((yield* upload("p_nowhere", "u_mara", recording)).status, 404)
      assert.strictEqual((yield* upload(id, "u_mara", new Uint8Array())).status, 400)
    })
  )

  it.effect("that cannot be read make the post fail, once", () =>
    Effect.gen(function* () {
      const { id } = (yield* ask("/api/v1/posts", { user: "u_mara", json: post })).json
      yield* upload(id, "u_mara", new TextEncoder().encode("not a recording at all"))
      yield* expectTrace({
        name: "job.run process_audio",
        children: [
          {
            name: "audio.processing",
            status: "error",
            statusMessage: "the recording cannot be read: it is not WAV",
            attributes: { "error.type": "UnreadableAudio", "processing.status": "failed" }
          },
          "db.update"
        ]
      })
      yield* eventually(Effect.map(ask(`/api/v1/posts/${id}`), ({ json }) => assert.strictEqual(json.status, "failed")))
      const spans = yield* TestTelemetry.spans
      assert.isFalse(
        spans.some(({ name }) => name.startsWith("job.")),
        "an idle worker makes no spans"
      )
    })
  )
})
