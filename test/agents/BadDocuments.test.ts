/** What people, editors and programs get wrong in documents: each is an agent or a list of problems, never a crash. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as AgentDefinition from "../../src/agents/AgentDefinition.ts"
import * as Compile from "../../src/agents/Compile.ts"
import type { InvalidAgent } from "../../src/agents/Problem.ts"
import { builtIn } from "../../src/components/registry.ts"
import { agentDocument, components, endpoint } from "./documents.ts"

const registry: Compile.Registry = new Map([...Compile.registry(builtIn), ...components])

type Loaded = Either.Either<{ readonly encoded: unknown; readonly program: Compile.Compiled }, InvalidAgent>

/** Dies where loading dies. */
const load = (document: unknown): Loaded =>
  Effect.runSync(Effect.either(Effect.gen(function*() {
    const definition = yield* AgentDefinition.fromUnknown(document)
    return { encoded: AgentDefinition.encode(definition), program: yield* Compile.compile(definition, registry) }
  })))

const problems = (document: unknown) =>
  Either.match(load(document), {
    onLeft: ({ _tag, problems }) => {
      assert.strictEqual(_tag, "InvalidAgent")
      return problems.map(({ path, problem }) => `${path}: ${problem}`)
    },
    onRight: () => []
  })

const chain = (length: number) =>
  agentDocument(
    {
      E: endpoint("x"),
      ...Object.fromEntries(Array.from({ length }, (_, n) => [`P${n}`, { name: "Pass", in: ["v"], out: ["v"] }]))
    },
    Array.from({ length }, (_, n) => n === 0 ? "E.x -> P0.v" : `P${n - 1}.v -> P${n}.v`)
  )

const nested = (levels: number, asList = false): unknown => {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = asList ? [value] : { a: value }
  return value
}

const itself: Record<string, unknown> = {}
itself["a"] = itself["b"] = itself

describe("a document that is wrong", () => {
  const hash = { name: "FHash", data: { algorithm: "sha256", encoding: "hex" } }
  const cases: Readonly<Record<string, readonly [document: unknown, ...expected: ReadonlyArray<RegExp>]>> = {
    "nothing": [undefined, /expected an agent document/],
    "text": ["{}", /got a string/],
    "a list": [[], /an array/],
    "an object for the list of components": [{ id: "x", components: {} }, /^components: .*array/i],
    "an object for the list of connections": [{ id: "x", components: [], connections: {} }, /^connections: .*array/i],
    "null for the components": [{ id: "x", components: null }, /^components: /],
    "null for a component": [{ id: "x", components: [null] }, /^components\[0\]: /],
    "null for what a component is": [{ id: "x", components: [{ id: null, name: null }] }, /\.id: /, /\.name: /],
    "null for a port": [{ id: "x", components: [{ id: "A", name: "Pass", inputs: [null] }] }, /inputs\[0\]: /],
    "null for an end": [
      { id: "x", components: [], connections: [{ sourceId: null, targetId: "A" }] },
      /sourceId: /,
      /sourceIndex: /,
      /targetIndex: /
    ],
    "an unknown component": [
      agentDocument({ E: endpoint("x"), A: { name: "Fhash", in: ["v"] } }, ["E.x -> A.v"]),
      /components\[1\]\.name: unknown component "Fhash"\. Did you mean "FHash"/
    ],
    "a wrong and a missing setting": [
      agentDocument({ E: endpoint("x"), A: { name: "APICall", in: ["v"], data: { method: "FETCH" } } }, ["E.x -> A.v"]),
      /data\.method: expected one of "GET"/,
      /data\.url: APICall needs the setting "url"/
    ],
    "a slip in the name of a port": [
      agentDocument({ E: endpoint("x"), H: hash }, ["E.x -> H.Dta", "E.y -> H.Data"]),
      /connections\[0\]\.targetIndex: .*no input "Dta".*"Data"/,
      /connections\[1\]\.sourceIndex: .*no output "y".*"x"/
    ],
    "a cycle that cannot begin": [
      agentDocument({ E: endpoint("x"), A: { name: "Pass", in: ["v", "w"] } }, ["E.x -> A.v", "A.v -> A.w"]),
      /cycle without progress/
    ],
    "ids that are no texts": [{ id: 7, components: [{ id: 1, name: "Pass" }] }, /^id: /, /components\[0\]\.id: /],
    "settings nested ten thousand levels deep": [
      agentDocument({ A: { name: "Pass", data: { deep: nested(10_000) } } }, []),
      /^components\[0\]\.data\.deep\.a: nested more than 200 levels deep/
    ],
    "lists nested ten thousand levels deep in what an editor keeps": [
      { data: { id: "x", components: [], editor: nested(10_000, true) } },
      /^data\.editor\[0\]\[0\]\[0\]: nested more than 200 levels deep/
    ],
    "an object within itself": [{ id: "x", components: [], ...itself }, /nested more than 200 levels deep/],
    "a number far too large for a port": [
      {
        ...agentDocument({ E: endpoint("x"), H: hash }, []),
        connections: [{ sourceId: "E", sourceIndex: 1e300, targetId: "H", targetIndex: "9".repeat(400) }]
      },
      /sourceIndex: expected the position or the name of a port/
    ]
  }
  for (const [name, [document, ...expected]] of Object.entries(cases)) {
    it(`${name}: is told, all of it`, () => {
      const found = problems(document)
      assert.lengthOf(found, expected.length, found.join("\n"))
      for (const pattern of expected) assert.isTrue(found.some((one) => pattern.test(one)), found.join("\n"))
    })
  }

  it("text that is not JSON is told with its place", () => {
    const problem = (text: string) => Effect.runSync(Effect.flip(AgentDefinition.fromText(text))).problems[0]?.problem
    for (const text of ["", "{", "{\"a\":1,}", "nul"]) assert.match(problem(text) ?? "", /not JSON: .*line 1, column/)
    assert.strictEqual(problem("[".repeat(100_000)), "not JSON: nested too deep to say where it goes wrong")
  })

  it("ten thousand mistakes are all listed, and the message stays short", () => {
    const good = chain(10_000)
    const bad = { ...good, connections: good.connections.map((one) => ({ ...one, targetId: `${one.targetId}x` })) }
    const loaded = load(bad)
    assert.isTrue(Either.isLeft(loaded))
    if (Either.isRight(loaded)) return
    assert.isAtLeast(loaded.left.problems.filter(({ path }) => path.endsWith("targetId")).length, 10_000)
    assert.isBelow(loaded.left.message.length, 10_000)
  })
})

describe("a document that is only strange", () => {
  const cases: Readonly<Record<string, unknown>> = {
    "ten thousand components": chain(10_000),
    "ten thousand connections from one port": agentDocument(
      {
        E: endpoint("x"),
        ...Object.fromEntries(
          Array.from({ length: 10_000 }, (_, n) => [`P${n}`, { name: "Pass", in: ["v"], out: ["v"] }])
        )
      },
      Array.from({ length: 10_000 }, (_, n) => `E.x -> P${n}.v`)
    ),
    "null wherever a field may be null": {
      id: "x",
      name: null,
      version: null,
      behavior: null,
      description: null,
      shortDescription: null,
      defaultModel: null,
      variables: null,
      components: [
        {
          id: "A",
          name: "Pass",
          displayName: null,
          title: null,
          data: null,
          inputs: [{ name: "v", type: null, optional: null, default: null, defaultVal: null, description: null }],
          outputs: [{ name: "o", default: null, expression: null, description: null }],
          template: null
        },
        { id: "N", name: "Note", data: null, inputs: null, outputs: null }
      ],
      connections: []
    },
    "variables that name each other": {
      id: "x",
      variables: { a: "{{b}}{{b}}", b: "{{a}}{{a}}", c: "{{c}}" },
      components: []
    },
    "no connections at all": { id: "x", components: [] },
    "null for the connections": { id: "x", components: [], connections: null },
    "settings nested a hundred levels deep": agentDocument(
      {
        E: endpoint("x"),
        A: {
          name: "APICall",
          in: ["v"],
          data: { url: "https://x.example", method: "POST", body: nested(100), headers: nested(100) }
        }
      },
      ["E.x -> A.v"],
      { variables: { pepper: "{{KEY(pepper)}}" } }
    ),
    "a wrapped one whose id is outside": { id: "x", data: { components: [] } },
    "names of every object's members": JSON.parse(
      `{"id":"x","__proto__":{"a":1},"components":[{"id":"__proto__","name":"Pass","data":{"__proto__":1},"toString":2}]}`
    )
  }
  for (const [name, document] of Object.entries(cases)) {
    it(`${name}: is an agent, and comes back as it was`, () => {
      const { encoded } = Either.getOrThrowWith(load(document), (error) => error)
      assert.isTrue(same(encoded, document))
    })
  }
})

describe("any document", () => {
  const folder = fileURLToPath(new URL("../../examples/agents/", import.meta.url))
  const examples = readdirSync(folder).filter((file) => file.endsWith(".smyth"))
    .map((file): unknown => JSON.parse(readFileSync(`${folder}${file}`, "utf8")))

  /** Loading does not die; what decodes comes back as it was. */
  const holds = (document: unknown) => {
    const before = JSON.stringify(document)
    const decoded = Effect.runSync(Effect.either(AgentDefinition.fromUnknown(document, { fallbackId: "x" })))
    if (Either.isLeft(decoded)) return assert.isNotEmpty(decoded.left.problems)
    assert.isTrue(same(AgentDefinition.encode(decoded.right), JSON.parse(before)), before)
    const compiled = Effect.runSync(Effect.either(Compile.compile(decoded.right, registry)))
    if (Either.isLeft(compiled)) assert.isTrue(compiled.left.problems.some(({ severity }) => severity === "error"))
    assert.strictEqual(JSON.stringify(document), before)
  }

  it("of the examples loads without a problem", () => {
    assert.isNotEmpty(examples)
    for (const document of examples) {
      assert.deepStrictEqual(problems(document), [])
      holds(document)
    }
  })

  it("of any JSON", () => {
    FastCheck.assert(FastCheck.property(FastCheck.jsonValue(), holds), { numRuns: 500 })
  })

  it("of the shape of one, with any JSON in it", () => {
    const json = FastCheck.jsonValue({ maxDepth: 2 })
    const text = FastCheck.oneof(FastCheck.constantFrom("A", "B", "body", "0", "1", "__proto__"), json)
    const port = FastCheck.record({ name: text, type: json, optional: json, defaultVal: json, expression: json }, {
      requiredKeys: ["name"]
    })
    const component = FastCheck.record({
      id: text,
      name: FastCheck.oneof(FastCheck.constantFrom(...registry.keys()), json),
      data: FastCheck.oneof(json, FastCheck.dictionary(FastCheck.string(), json)),
      inputs: FastCheck.array(port, { maxLength: 3 }),
      outputs: FastCheck.array(port, { maxLength: 3 })
    }, { requiredKeys: ["id", "name"] })
    const connection = FastCheck.record({ sourceId: text, sourceIndex: text, targetId: text, targetIndex: text })
    const document = FastCheck.record({
      id: FastCheck.oneof(FastCheck.constant("x"), json),
      variables: json,
      components: FastCheck.array(component, { maxLength: 5 }),
      connections: FastCheck.array(connection, { maxLength: 6 })
    }, { requiredKeys: ["components"] })
    FastCheck.assert(FastCheck.property(document, holds), { numRuns: 1000 })
  })

  it("that was a good one until somebody removed or replaced parts of it", () => {
    const mutation = FastCheck.record({
      at: FastCheck.nat(),
      by: FastCheck.option(FastCheck.jsonValue({ maxDepth: 1 }))
    })
    const mutated = FastCheck.tuple(
      FastCheck.constantFrom(...examples),
      FastCheck.array(mutation, { minLength: 1, maxLength: 4 }),
      FastCheck.boolean()
    ).map(([example, mutations, wrapped]) => {
      const document = structuredClone(example)
      for (const { at, by } of mutations) change(document, at, by)
      return wrapped ? { data: document, teamId: "t" } : document
    })
    FastCheck.assert(FastCheck.property(mutated, holds), { numRuns: 2000 })
  })
})

/** Replaces the field or item that comes at `at` in document order; with null it is removed. */
const change = (document: unknown, at: number, by: unknown) => {
  const places: Array<readonly [Record<string, unknown>, string]> = []
  const visit = (value: unknown) => {
    if (typeof value !== "object" || value === null) return
    for (const key of Object.keys(value)) {
      places.push([value as Record<string, unknown>, key])
      visit((value as Record<string, unknown>)[key])
    }
  }
  visit(document)
  const place = places[at % places.length]
  if (place === undefined) return
  const [holder, key] = place
  if (by !== null) holder[key] = by
  else if (Array.isArray(holder)) holder.splice(Number(key), 1)
  else delete holder[key]
}

/** Deep equality of JSON values that does not recurse: some are deeper than the stack. */
const same = (one: unknown, other: unknown): boolean => {
  const pairs: Array<readonly [unknown, unknown]> = [[one, other]]
  for (const [a, b] of pairs) {
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
      if (a !== b) return false
      continue
    }
    const keys = Object.keys(a)
    if (Array.isArray(a) !== Array.isArray(b) || keys.length !== Object.keys(b).length) return false
    for (const key of keys) {
      if (!Object.hasOwn(b, key)) return false
      pairs.push([(a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]])
    }
  }
  return true
}
