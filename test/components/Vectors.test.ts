/** Whole agents of built-in components, as older systems answer for them: what is asked, and the result of the component that matters. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import { Agents } from "../../src/agents/Agents.ts"
import * as Candidate from "../../src/security/Candidate.ts"
import { agentDocument, endpoint, type Short } from "../agents/documents.ts"
import * as HttpServer from "../fixtures/HttpServer.ts"
import * as System from "../fixtures/System.ts"

let documents = 0

/** The answer to `x`, as JSON carries it. */
const ask = (
  components: Record<string, Short>,
  connections: ReadonlyArray<string>,
  x: unknown,
  rest: Record<string, unknown> = {}
) =>
  Effect.gen(function*() {
    const agents = yield* Agents
    const id = `v${documents++}`
    yield* agents.load(
      yield* AgentDefinition.fromUnknown({
        ...agentDocument({ E: endpoint("x"), ...components }, connections, rest),
        id
      })
    )
    const { answer } = yield* agents.call(id, { endpoint: "go", body: { x } })
    return JSON.parse(JSON.stringify(answer)) as unknown
  }).pipe(Candidate.as(Candidate.user("a")))

/** The result of the one component behind the endpoint. */
const one = (
  name: string,
  data: Record<string, unknown>,
  x: unknown,
  input = "Data",
  out: ReadonlyArray<string> = []
) =>
  Effect.map(
    ask({ C: { name, data, in: [input], ...(out.length === 0 ? {} : { out }) } }, [`E.x -> C.${input}`], x),
    (answer) => (answer as { readonly result: Record<string, unknown> }).result
  )

const inputs = (count: number) => Array.from({ length: count }, (_, n) => `i${n}`)

/** A gate whose inputs are the items of a list. */
const gate = (name: string, values: ReadonlyArray<unknown>, data: Record<string, unknown> = {}) =>
  Effect.gen(function*() {
    const agents = yield* Agents
    const id = `v${documents++}`
    const names = inputs(values.length)
    const document = agentDocument(
      { E: endpoint(...names), C: { name, data, in: names } },
      names.map((input) => `E.${input} -> C.${input}`)
    )
    yield* agents.load(yield* AgentDefinition.fromUnknown({ ...document, id }))
    const body = Object.fromEntries(names.map((input, n) => [input, values[n]]))
    const { answer } = yield* agents.call(id, { endpoint: "go", body })
    return (answer as { readonly result: Record<string, unknown> }).result
  }).pipe(Candidate.as(Candidate.user("a")))

const sha256 = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4"
const signed = "c3a92ff9e274cdcce27a58c15a78ec6dcbbdbd0038a87e7a11baef2028fd8bff"
const query = "82aaf0808ce678be3d7cbb9c8bf66110"
const md5 = { a: "0cc175b9c0f1b6a831c399e269772661", b: "92eb5ffee6ae2fec3ad71c777531578f" }
const hash: Short = { name: "FHash", data: { algorithm: "md5", encoding: "hex" }, in: ["Data"] }
const each = (format: string): Short => ({ name: "ForEach", data: { format }, in: ["Input"] })
const looped = (format: string, x: unknown, body: Short = hash, input = "Data") =>
  Effect.map(
    ask({ L: each(format), H: body }, ["E.x -> L.Input", `L.Loop -> H.${input}`], x),
    (answer) => (answer as { readonly result: { readonly Result: unknown } }).result.Result
  )

layer(System.layer({ allow: ["127.0.0.1"] }), { excludeTestServices: true, timeout: "30 seconds" })("vectors", (it) => {
  it.effect("of functions", () =>
    Effect.gen(function*() {
      const rows: ReadonlyArray<readonly [string, Record<string, unknown>, unknown, string, unknown]> = [
        ["FHash", { algorithm: "md5", encoding: "hex" }, "hi", "Hash", "49f68a5c8493ec2c0bf489821c21fc3b"],
        ["FEncDec", { action: "Encode", encoding: "base64" }, "hi", "Output", "aGk="],
        ["FEncDec", { action: "Encode", encoding: "hex" }, "hi", "Output", "6869"],
        ["FEncDec", { action: "Encode", encoding: "base64url" }, "hi", "Output", "aGk"],
        ["FEncDec", { action: "Decode", encoding: "hex" }, "6869", "Output", "hi"],
        ["FEncDec", { action: "Encode", encoding: "base64" }, [1, 2], "Output", "AQI="],
        ["FHash", { algorithm: "sha256", encoding: "hex" }, "hi", "Hash", sha256],
        ["FSign", { key: "k" }, "hi", "Signature", "95ff8b0ea14e4f19fa830dd3d5b3e045"],
        ["FSign", { key: "k", hashType: "sha256", dataTransform: "Stringify" }, { a: 1 }, "Signature", signed],
        ["FSign", { key: "k", hashType: "md5", dataTransform: "Querystring" }, { a: 1, b: "x y" }, "Signature", query]
      ]
      for (const [name, data, x, output, expected] of rows) {
        assert.strictEqual((yield* one(name, data, x))[output], expected, `${name} ${JSON.stringify(data)}`)
      }
      const filtered = yield* one(
        "JSONFilter",
        { fields: "a,  b" },
        { a: { c: 1, b: 2 }, d: { a: 1 }, b: [{ a: 1, z: 2 }] },
        "Input"
      )
      assert.deepStrictEqual(filtered["Output"], { a: { b: 2 }, b: [{ a: 1 }] })
    }))

  it.effect("of gates", () =>
    Effect.gen(function*() {
      const verified = (result: Record<string, unknown>) =>
        "Verified" in result ? !("Unverified" in result) : "Unverified" in result ? false : undefined
      const rows: ReadonlyArray<readonly [string, ReadonlyArray<unknown>, boolean, Record<string, unknown>?]> = [
        ["LogicAND", [1, 1, 1], true],
        ["LogicAND", [1, 1, 0], false],
        ["LogicAND", [1, "false", "0"], true],
        ["LogicOR", [0, 0, 1], true],
        ["LogicXOR", [1, 1, 1], false],
        ["LogicXOR", [1, 0, 0], true],
        ["LogicAtLeast", [1, 0, 0], false, { minSetInputs: 2 }],
        ["LogicAtLeast", [1, 1, 1], false, { minSetInputs: 5 }],
        ["LogicAtMost", [1, 1, 0], false, { maxSetInputs: 1 }],
        ["LogicAtMost", [1, 1, 1], true, { maxSetInputs: 5 }]
      ]
      for (const [name, values, expected, data] of rows) {
        assert.strictEqual(verified(yield* gate(name, values, data)), expected, `${name} ${JSON.stringify(values)}`)
      }
    }))

  it.effect("of loops, in each format, of lists, texts and single values", () =>
    Effect.gen(function*() {
      const records = [{ Hash: md5.a }, { Hash: md5.b }]
      const full = yield* looped("full", ["a", "b"])
      assert.deepStrictEqual(full, records.map((result) => ({ id: "H", name: "FHash", result })))
      assert.deepStrictEqual(yield* looped("minimal", ["a", "b"]), records)
      assert.deepStrictEqual(yield* looped("results-array", ["a", "b"]), [md5.a, md5.b])
      for (const format of ["full", "minimal", "results-array"]) {
        assert.deepStrictEqual(yield* looped(format, []), [], format)
      }
      const same: Short = { name: "APIOutput", data: { format: "minimal" }, in: ["v"] }
      const values = (format: string, x: unknown) => looped(format, x, same, "v")
      assert.deepStrictEqual(yield* values("results-array", "[1,2]"), [1, 2])
      assert.deepStrictEqual(yield* values("results-array", 7), [7])
      const kept = [1, null, 0, "", false]
      assert.deepStrictEqual(yield* values("minimal", kept), kept.map((v) => ({ v })))
      // Four prompts that are told back.
      const prompt: Short = { name: "LLMPrompt", data: { model: "Echo", prompt: "say {{v}}" }, in: ["v"] }
      const told = yield* looped("results-array", ["a", "b", "c", "d"], prompt, "v")
      assert.deepStrictEqual(told, ["say a", "say b", "say c", "say d"])
      const nested = yield* ask(
        { L: each("results-array"), M: each("results-array"), H: hash },
        ["E.x -> L.Input", "L.Loop -> M.Input", "M.Loop -> H.Data"],
        [["a", "b"], ["a"]]
      )
      assert.deepInclude(nested, { result: { Result: [md5.a, md5.b, md5.a] } })
      // More than older systems took, and nothing of how long a step took among the results.
      const sleep: Short = { name: "FSleep", data: { delay: 0 }, in: ["Input"] }
      const many = Array.from({ length: 120 }, (_, n) => n)
      assert.deepStrictEqual(yield* looped("results-array", many, sleep, "Input"), many)
    }))

  it.effect("of branches in the background", () =>
    Effect.gen(function*() {
      const background: Record<string, Short> = {
        A: { name: "Async", in: ["v"] },
        H: hash,
        W: { name: "Await", data: { jobs_count: 1, max_time: 20 }, in: ["Jobs"] }
      }
      const waited = yield* ask(background, ["E.x -> A.v", "A.v -> H.Data", "A.JobID -> W.Jobs"], "a")
      const { Results } = (waited as { readonly result: { readonly Results: Record<string, unknown> } }).result
      const [[id, job] = ["", undefined]] = Object.entries(Results)
      assert.match(id, /^A-/)
      assert.deepStrictEqual(job, { status: "done", output: { id: "H", name: "FHash", result: { Hash: md5.a } } })
      const sleeping: Short = { name: "FSleep", data: { delay: 30 }, in: ["Input"] }
      // At once, and with the id of the job, of which older systems told nothing.
      const started = yield* ask({ A: background["A"]!, S: sleeping }, ["E.x -> A.v", "A.v -> S.Input"], "a")
      assert.match((started as { readonly result: { readonly JobID: string } }).result.JobID, /^A-/)
      const many = yield* ask(
        { L: each("results-array"), ...background, W: { ...background["W"]!, data: { jobs_count: 4, max_time: 20 } } },
        ["E.x -> L.Input", "L.Loop -> A.v", "A.v -> H.Data", "L.Result -> W.Jobs"],
        ["a", "b", "a", "b"]
      )
      const outcomes = Object.values((many as { result: { Results: Record<string, unknown> } }).result.Results)
      assert.deepStrictEqual(
        outcomes.map((outcome) => /[0-9a-f]{32}/.exec(JSON.stringify((outcome as { output: unknown }).output))?.[0]),
        [md5.a, md5.b, md5.a, md5.b]
      )
      assert.deepInclude(
        yield* ask({ W: background["W"]! }, ["E.x -> W.Jobs"], "nope"),
        { result: { Results: { nope: { status: "unknown_job" } } } }
      )
    }))

  it.effect("of memories, of code, and of prompts that are told back", () =>
    Effect.gen(function*() {
      const memory = { memoryName: "m", key: "k" }
      const kept = yield* ask(
        {
          W: { name: "MemoryWriteKeyVal", data: { ...memory, value: "{{v}}" }, in: ["v"] },
          R: { name: "MemoryReadKeyVal", data: memory, in: ["after"] }
        },
        ["E.x -> W.v", "W.Key -> R.after"],
        { said: `"quoted"`, deep: { n: 1 } }
      )
      const missed = yield* ask({ R: { name: "MemoryReadKeyVal", data: { ...memory, key: "none" }, in: ["v"] } }, [
        "E.x -> R.v"
      ], 1)
      assert.hasAllKeys((missed as { readonly result: object }).result, ["_warning"])
      const { Value } = (kept as { readonly result: { readonly Value: unknown } }).result
      assert.deepStrictEqual(JSON.parse(String(Value)), { said: `"quoted"`, deep: { n: 1 } })
      const written = yield* one("MemoryWriteObject", { memoryName: "o" }, { a: 1, b: { c: 2 } })
      assert.deepInclude(written, { Keys: ["a", "b"], Count: 2 })
      const code = { code: "async function main(v) { return v + 1 }" }
      assert.deepInclude(yield* one("ECMASandbox", code, "a", "v"), { Output: "a1" })
      const prompt = { model: "Echo", prompt: "say {{Input}} {{who}} {{nope}}" }
      const told = yield* ask(
        { P: { name: "LLMPrompt", data: prompt, in: ["Input"] } },
        ["E.x -> P.Input"],
        "He",
        { variables: { who: "W" } }
      )
      assert.deepInclude(told, { result: { Reply: "say He W {{nope}}" } })
      const json = { model: "Echo", prompt: `{"said": "{{Input}}"}` }
      assert.deepInclude(yield* one("LLMPrompt", json, `He said "hi"`, "Input"), { Reply: { said: `He said "hi"` } })
    }))

  it.scoped("of calls: repeated parameters stay, fragments go, and values in bodies are what they are", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ body, headers, method, url }, response) =>
        HttpServer.json(response, 200, {
          method,
          url,
          body,
          type: headers["content-type"],
          auth: headers.authorization
        })
      )
      const sent = (data: Record<string, unknown>, x: unknown) =>
        Effect.map(
          ask({ C: { name: "APICall", data, in: ["v"] } }, ["E.x -> C.v"], x),
          (answer) => (answer as { readonly result: { readonly Response: Record<string, unknown> } }).result.Response
        )
      const own = server.url.replace("://", "://me:pw@")
      assert.deepInclude(yield* sent({ url: `${own}/p?a=1&a=2&b={{v}}#frag` }, "x y"), {
        method: "GET",
        url: "/p?a=1&a=2&b=x%20y",
        auth: `Basic ${btoa("me:pw")}`
      })
      for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        assert.deepInclude(yield* sent({ method, url: server.url }, "x"), { method })
      }
      yield* sent({ method: "HEAD", url: server.url }, "x")
      assert.strictEqual(server.requests.at(-1)?.method, "HEAD")
      const json = { method: "POST", url: server.url, contentType: "application/json" }
      for (const [value, text] of [[0, "0"], [false, "false"], [[1, "a"], `[1,"a"]`], [{ d: 1 }, `{"d":1}`]] as const) {
        const { body } = yield* sent({ ...json, body: `{"v": {{v}}, "n": {{nope}}}` }, value)
        assert.deepStrictEqual(JSON.parse(String(body)), { v: JSON.parse(text), n: null }, text)
      }
      const form = { ...json, contentType: "application/x-www-form-urlencoded", body: `{"p":"{{v}}"}` }
      assert.deepInclude(yield* sent(form, "v 1&z=2"), { body: "p=v+1%26z%3D2" })
      const typed = { ...json, headers: { "Content-Type": "application/vnd.api+json" }, body: "{}" }
      assert.deepInclude(yield* sent(typed, 1), { type: "application/vnd.api+json" })
    }))

  it.scoped("of calls that fail: the parsed body and the headers stand beside the error", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make(({ url }, response) =>
        HttpServer.json(response, Number(url.slice(1)), { why: "so" })
      )
      for (const status of [404, 422]) {
        const call = { C: { name: "APICall", data: { url: `${server.url}/${status}` }, in: ["v"] } }
        const { result } = (yield* ask(call, ["E.x -> C.v"], 1)) as { readonly result: Record<string, unknown> }
        assert.include(String(result["_error"]), String(status))
        assert.deepStrictEqual(result["Response"], { why: "so" })
        assert.deepInclude(result["Headers"], { "content-type": "application/json" })
      }
    }))

  it.scoped("of endpoints: what is sent and what is left out become what the inputs are", () =>
    Effect.gen(function*() {
      const server = yield* HttpServer.make((_, response) =>
        void response.writeHead(200, { "content-type": "text/plain" }).end("nine byte")
      )
      const typed = (type: string, defaultVal: unknown) => ({ name: type, type, optional: true, defaultVal })
      const inputs = [
        typed("Text", "text"),
        typed("Number", "123"),
        typed("Integer", "1234"),
        typed("Boolean", true),
        typed("Array", "a,b,c,d"),
        typed("Object", `{message:"hello world"}`),
        typed("Binary", "nine byte"),
        typed("Date", "01/20/2024")
      ]
      const names = inputs.map(({ name }) => name)
      const E: Short = { name: "APIEndpoint", data: { endpoint: "go", method: "POST" }, in: inputs, out: names }
      const O: Short = { name: "APIOutput", data: { format: "minimal" }, in: names.map((name) => `${name}?`) }
      const agents = yield* Agents
      const document = agentDocument({ E, O }, names.map((name) => `E.${name} -> O.${name}`))
      yield* agents.load(yield* AgentDefinition.fromUnknown({ ...document, id: "typed" }))
      const call = (body: object) =>
        Effect.map(agents.call("typed", { endpoint: "go", body }), ({ answer }) => answer as Record<string, unknown>)
      const { Binary: file, ...defaults } = yield* call({})
      assert.deepStrictEqual(defaults, {
        Text: "text",
        Number: 123,
        Integer: 1234,
        Boolean: true,
        Array: ["a", "b", "c", "d"],
        Object: { message: "hello world" },
        Date: "2024-01-20T00:00:00.000Z"
      })
      assert.deepInclude(file, { size: 9, mimetype: "text/plain" })
      const sent = {
        Number: "1337.42",
        Integer: "42",
        Boolean: "true",
        Array: "[1,2,3]",
        Object: `{"key":"value"}`,
        Binary: server.url,
        Date: "2024-05-06T07:08:09Z"
      }
      const { Binary: fetched, ...given } = yield* call(sent)
      assert.deepStrictEqual(given, {
        Text: "text",
        Number: 1337.42,
        Integer: 42,
        Boolean: true,
        Array: [1, 2, 3],
        Object: { key: "value" },
        Date: "2024-05-06T07:08:09.000Z"
      })
      assert.include((fetched as { readonly url: string }).url, "smythfs://")
      for (const type of ["Number", "Integer", "Boolean", "Object", "Date"]) {
        assert.include((yield* Effect.flip(call({ [type]: "abc" }))).message, type)
      }
    }).pipe(Candidate.as(Candidate.user("a"))))

  it.effect("an answer keeps what is false, empty or nothing", () =>
    Effect.gen(function*() {
      const code = "async function main(v) { return { a: 0, b: '', c: false, d: null } }"
      const names = ["a", "b", "c", "d"]
      const answer = yield* ask(
        {
          C: { name: "ECMASandbox", data: { code }, in: ["v"], out: names.map((name) => `Output.${name}`) },
          O: { name: "APIOutput", data: { format: "full" }, in: names }
        },
        ["E.x -> C.v", ...names.map((name) => `C.Output.${name} -> O.${name}`)],
        1
      )
      assert.deepInclude(answer, { result: { Output: { a: 0, b: "", c: false, d: null } } })
    }))
})
