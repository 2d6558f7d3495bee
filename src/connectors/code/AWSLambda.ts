/**
 * Code in functions of AWS Lambda: one for each name and owner, updated when the code is another. Packages are those of the
 * runtime alone; nothing is installed, neither here nor there. https://docs.aws.amazon.com/lambda/latest/api/
 */
import type { FunctionConfiguration, InvokeCommandOutput, Runtime } from "@aws-sdk/client-lambda"
import { Config, Duration, Effect, Option, Redacted, Schedule, Schema } from "effect"
import { createHash } from "node:crypto"
import * as Connector from "../../kernel/Connector.ts"
import { isConflict } from "../../kernel/ConnectorError.ts"
import * as Candidate from "../../security/Candidate.ts"
import * as Code from "../../subsystems/compute/Code.ts"
import { Answer, answered, type Arguments, callMain, moduleOf } from "./CallMain.ts"
import * as Lambda from "./LambdaClient.ts"
import { zip } from "./Zip.ts"

const AWSLambdaSettings = Schema.Struct({
  ...Lambda.settings,
  /** ARN of the role that functions run as: `arn:aws:iam::<account>:role/<name>`. Without it none can be made. */
  role: Schema.optional(Schema.NonEmptyString),
  /** Of Lambda: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html */
  runtime: Schema.optionalWith(Schema.NonEmptyString, { default: () => "nodejs22.x" }),
  /** Memory of a function, and with it its share of computing. What a call asks for is not looked at: it would be another function. */
  memoryMebibytes: Schema.optionalWith(Schema.Int.pipe(Schema.between(128, 10_240)), { default: () => 256 }),
  /** When AWS ends a call that nobody waits for any more. */
  timeoutSeconds: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 900)), { default: () => 900 })
})
type Settings = typeof AWSLambdaSettings.Type

export const AWSLambda = Connector.make({
  name: "AWSLambda",
  aliases: ["AWSLambdaCode", "Lambda"],
  contract: Code.CodeConnector,
  service: Code.layer,
  settings: AWSLambdaSettings,
  make: Effect.fnUntraced(function*(settings) {
    const clientOf = yield* Lambda.open(settings)
    const own = yield* clientOf(undefined)
    const deployed = new Map<string, string>()
    const turn = yield* Effect.makeSemaphore(1)

    const run = (call: Code.Call) =>
      Effect.scoped(Effect.gen(function*() {
        const client = call.account === undefined ? own : yield* clientOf(call.account)
        const name = functionOf(call.owner, call.name)
        const bytes = zip({ "main.mjs": moduleOf(call.code, call.main.isAssigned), "index.mjs": handler })
        const sha = createHash("sha256").update(bytes).digest("base64")
        const key = `${call.account === undefined ? "" : Redacted.value(call.account.accessKeyId)}/${name}`
        const deployOnce = Effect.suspend(() =>
          deployed.get(key) === sha ? Effect.void : turn.withPermits(1)(
            Effect.tap(deploy(client, call, settings, bytes, sha), () => remember(deployed, key, sha))
          )
        )
        const invoke = client(
          "run",
          (sdk, options) => sdk.invoke({ FunctionName: name, Payload: payloadOf(call) }, options),
          Duration.sum(call.limits.timeout, "1 second")
        ).pipe(Effect.timeoutFail({
          duration: call.limits.timeout,
          onTimeout: () => Code.exceeded("timeout", call.limits)
        }))
        yield* deployOnce
        const [elapsed, invoked] = yield* Effect.timed(invoke).pipe(
          Effect.catchIf((error) => error._tag === "ConnectorError" && error.reason === "NotFound", () => {
            // Somebody removed it behind our back.
            deployed.delete(key)
            return Effect.zipRight(deployOnce, Effect.timed(invoke))
          })
        )
        return { ...yield* settled(invoked, call.limits), stats: { elapsed } }
      }))

    return Code.CodeConnector.of({
      run: (call) => {
        const problem = call.language !== "javascript"
          ? "its runtime knows JavaScript alone"
          : Object.keys(call.functions).length > 0
          ? "the code cannot call functions of this host; the connector ECMASandbox can"
          : undefined
        return problem === undefined ? run(call) : Effect.fail(Lambda.failure("run", "Unsupported", problem))
      },
      deployments: (owner) =>
        Effect.map(
          functions(own, prefixOf(owner)),
          (all) => all.map(({ CodeSha256 = "", Description = "" }) => ({ name: Description, version: CodeSha256 }))
        ),
      remove: (owner, name) =>
        Effect.suspend(() => {
          const FunctionName = functionOf(owner, name)
          deployed.delete(`/${FunctionName}`)
          return own("remove", (sdk, options) => sdk.deleteFunction({ FunctionName }, options)).pipe(
            Effect.catchIf(({ reason }) => reason === "NotFound", () => Effect.void),
            Effect.asVoid
          )
        })
    })
  })
})

/** `Code` in AWS Lambda: `AWS_REGION`, `AWS_LAMBDA_ROLE`, and the credentials of the machine as the AWS SDK finds them. */
export const AWSLambdaLive = AWSLambda.layerConfig({
  region: Config.nonEmptyString("AWS_REGION"),
  accessKeyId: Config.succeed(undefined),
  secretAccessKey: Config.succeed(undefined),
  endpoint: Config.withDefault(Config.string("AWS_ENDPOINT_URL_LAMBDA"), undefined),
  timeout: Config.succeed(Duration.seconds(30)),
  role: Config.nonEmptyString("AWS_LAMBDA_ROLE"),
  runtime: Config.succeed("nodejs22.x"),
  memoryMebibytes: Config.succeed(256),
  timeoutSeconds: Config.succeed(900)
})

/* ------------------------------------------------------------------------------------------------------------------
 * Functions
 * ---------------------------------------------------------------------------------------------------------------- */

const digest = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 24)

const prefixOf = (owner: Candidate.Candidate) => `sre-${digest(Candidate.format(owner))}-`

/** At most 64 characters, whatever owner and name are; what they are stands in its description and nowhere else. */
const functionOf = (owner: Candidate.Candidate, name: string) => `${prefixOf(owner)}${digest(name)}`

const remember = (deployed: Map<string, string>, key: string, sha: string) =>
  Effect.sync(() => {
    deployed.delete(key)
    deployed.set(key, sha)
    for (const oldest of deployed.keys()) if (deployed.size > 1000) deployed.delete(oldest)
  })

const describe = (client: Lambda.Client, FunctionName: string) =>
  client("deploy", (sdk, options) => sdk.getFunction({ FunctionName }, options)).pipe(
    Effect.map(({ Configuration }) => Option.fromNullable(Configuration)),
    Effect.catchIf(({ reason }) => reason === "NotFound", () => Effect.succeedNone)
  )

const deploy = (client: Lambda.Client, call: Code.Call, settings: Settings, ZipFile: Uint8Array, sha: string) =>
  Effect.gen(function*() {
    const FunctionName = functionOf(call.owner, call.name)
    const there = yield* ready(client, FunctionName)
    if (Option.isNone(there)) {
      const Role = call.account === undefined ? settings.role : call.account.role
      if (Role === undefined) {
        return yield* Lambda.failure(
          "deploy",
          "InvalidInput",
          "a role to run as is needed: set \"role\" to the ARN of one"
        )
      }
      yield* client("deploy", (sdk, options) =>
        sdk.createFunction({
          FunctionName,
          Role,
          Runtime: settings.runtime as Runtime,
          Handler: "index.handler",
          Code: { ZipFile },
          Description: call.name,
          MemorySize: settings.memoryMebibytes,
          Timeout: settings.timeoutSeconds
        }, options))
    } else if (there.value.CodeSha256 !== sha) {
      yield* client("deploy", (sdk, options) => sdk.updateFunctionCode({ FunctionName, ZipFile }, options))
    } else return
    yield* ready(client, FunctionName)
  }).pipe(
    // Another process deploys the same.
    Effect.retry({ while: isConflict, times: 5, schedule: Schedule.spaced("500 millis") })
  )

/** Waits until nothing is under way with the function; two minutes at most. */
const ready = (client: Lambda.Client, name: string) => {
  const look = describe(client, name)
  const isSettled = (found: Option.Option<FunctionConfiguration>) => !Option.exists(found, isBusy)
  return Effect.flatMap(look, (found) =>
    isSettled(found)
      ? Effect.succeed(found)
      : Effect.repeat(Effect.delay(look, "250 millis"), { until: isSettled })).pipe(
      Effect.filterOrFail(
        (found) => !Option.exists(found, isFailed),
        () =>
          Lambda.failure(
            "deploy",
            "Unavailable",
            `AWS could not make the function "${name}"; remove it, and look at its role`
          )
      ),
      Effect.timeoutFail({
        duration: "2 minutes",
        onTimeout: () => Lambda.failure("deploy", "Timeout", `the function "${name}" did not become active`)
      })
    )
}

const isFailed = ({ LastUpdateStatus, State }: FunctionConfiguration) =>
  State === "Failed" || LastUpdateStatus === "Failed"

const isBusy = ({ LastUpdateStatus, State }: FunctionConfiguration) =>
  State === "Pending" || LastUpdateStatus === "InProgress"

const functions = (client: Lambda.Client, prefix: string) =>
  Effect.iterate({ all: [] as ReadonlyArray<FunctionConfiguration>, marker: "" as string | undefined }, {
    while: ({ marker }) => marker !== undefined,
    body: ({ all, marker }) =>
      Effect.map(
        client("deployments", (sdk, options) =>
          sdk.listFunctions(marker === undefined || marker === "" ? {} : { Marker: marker }, options)),
        ({ Functions = [], NextMarker }) => ({
          all: [
            ...all,
            ...Functions.filter(({ FunctionName = "" }) =>
              FunctionName.startsWith(prefix)
            )
          ],
          marker: NextMarker === undefined || NextMarker === "" ? undefined : NextMarker
        })
      )
  }).pipe(Effect.map(({ all }) => all))

/* ------------------------------------------------------------------------------------------------------------------
 * Calls
 * ---------------------------------------------------------------------------------------------------------------- */

/** Secrets come with the call; a module that has read others of them is loaded anew. */
const handler = `${callMain}
export const handler = async ({ task, version }) => {
  const logs = []
  const answer = await callMain(task, () => import("./main.mjs?" + version), (log) => logs.push(log))
  return { answer, logs }
}
`

const payloadOf = ({ inputs, limits, main, secrets }: Code.Call) => {
  const values = Redacted.value(secrets)
  const task: Arguments = {
    parameters: main.parameters,
    inputs: JSON.parse(inputs) as Arguments["inputs"],
    secrets: values,
    logBytes: limits.logBytes
  }
  return Buffer.from(JSON.stringify({ task, version: digest(JSON.stringify(values)) }))
}

const Answered = Schema.parseJson(Schema.Struct({ answer: Answer, logs: Schema.Array(Code.LogLine) }))

const settled = ({ FunctionError, Payload }: InvokeCommandOutput, limits: Code.Limits) =>
  Effect.gen(function*() {
    const text = Buffer.from(Payload ?? []).toString("utf8")
    if (FunctionError !== undefined) return yield* ended(text, limits)
    const { answer, logs } = yield* Effect.mapError(Schema.decode(Answered)(text), () =>
      Lambda.failure("run", "Protocol", "the answer is not one of the handler that was deployed"))
    return { output: yield* answered(answer, limits, logs), logs }
  })

/** What AWS says of a function that did not answer by itself. */
const ended = (text: string, limits: Code.Limits) =>
  /Task timed out|Sandbox\.Timedout/.test(text)
    ? Code.exceeded("timeout", limits)
    : /OutOfMemory|signal: killed/.test(text)
    ? Code.exceeded("memory", limits)
    : /ResponseSizeTooLarge/.test(text)
    ? Code.exceeded("output", limits)
    : new Code.CodeFailed({ message: `the code ended its process without an answer: ${text.slice(0, 300)}`, logs: [] })
