/**
 * Services of this system for other systems, as {@link ManagedApi} describes them: below `/smyth/v1` of the Router. The bare
 * contracts stand behind it, each team in a space of its own; the host's own candidates have nothing there.
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Cause, type ConfigError, Context, Effect, Layer, Option, Schema, type Scope } from "effect"
import type { BootError } from "../kernel/BootError.ts"
import type { ConnectorError } from "../kernel/ConnectorError.ts"
import { Account, Unauthenticated } from "../security/Account.ts"
import * as Candidate from "../security/Candidate.ts"
import type { VaultConnector } from "../security/Vault.ts"
import type { LogConnector } from "../subsystems/io/Log.ts"
import * as ManagedApi from "../subsystems/io/ManagedApi.ts"
import * as Router from "../subsystems/io/Router.ts"
import type { StorageConnector } from "../subsystems/io/Storage.ts"
import type { VectorDBConnector } from "../subsystems/io/VectorModels.ts"
import * as managed from "./handlers/managed.ts"
import * as Identity from "./Identity.ts"

type Failure = BootError | ConnectorError | ConfigError.ConfigError
type Contract<Id> = Layer.Layer<Id, Failure>

/** What is offered, each by a connector of its own: `{ storage: S3Storage.contract({ bucket: "tenants" }) }`. */
export interface Options {
  readonly storage?: Contract<StorageConnector>
  readonly vault?: Contract<VaultConnector>
  readonly vectors?: Contract<VectorDBConnector>
  readonly log?: Contract<LogConnector>
  /** Of one object. Default: 1 GiB. */
  readonly maxObjectBytes?: number
  /** Of any other request. Default: 32 MiB. */
  readonly maxBodyBytes?: number
}

/** Answers beside whatever the Router serves. */
export const layer = (
  options: Options
): Layer.Layer<never, Failure, Account | Router.Router> =>
  Layer.scopedDiscard(
    Effect.flatMap(Router.Router, (router) =>
      Effect.flatMap(app(options), (answers) => router.mount(ManagedApi.root, answers)))
  )

/** The app alone, for a host that has an HTTP server of its own. */
export const app = Effect.fnUntraced(function*(
  { maxBodyBytes = 32 * 2 ** 20, maxObjectBytes = 2 ** 30, ...contracts }: Options
): Effect.fn.Return<Router.App, Failure, Account | Scope.Scope> {
  const layers: ReadonlyArray<Contract<never>> = Object.values(contracts)
  const offered = Context.mergeAll(...yield* Effect.forEach(layers, (contract) => Layer.build(contract)))
  const handlers = Layer.mergeAll(managed.storage(maxObjectBytes), managed.vault, managed.vectors, managed.log).pipe(
    Layer.provide([access, Layer.succeedContext(offered)])
  )
  const built = yield* Layer.build(Layer.provideMerge(handlers, HttpApiBuilder.Router.Live))
  const routes = yield* Effect.flatMap(Effect.provide(HttpApiBuilder.Router.router, built), HttpRouter.toHttpApp)
  const encode = yield* HttpApiBuilder.buildMiddleware(ManagedApi.Api)

  const settled = Effect.catchAllCause(
    HttpServerRequest.withMaxBodySize(routes, Option.some(maxBodyBytes)),
    (cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
      const failure = Cause.squash(cause)
      return failure instanceof HttpServerError.RouteNotFound
        ? Effect.succeed(HttpServerResponse.empty({ status: 404 }))
        // A body that is no JSON, ends early or is too large: the platform takes it for a crash.
        : failure instanceof HttpServerError.RequestError
        ? Effect.catchAllCause(encode(Effect.fail(unreadable)), crashed)
        : Cause.isFailure(cause)
        ? Effect.catchAllCause(encode(Effect.fail(failure)), crashed)
        : crashed(cause)
    }
  )
  // Only the types ask for a file system and the like: no endpoint reads a form into files or sends one.
  return settled as Router.App
})

const unreadable = ManagedApi.backendFailed({ reason: "InvalidInput", retryAfter: undefined })

const crashed = (cause: Cause.Cause<unknown>) =>
  Effect.as(Effect.logError("a request of another system crashed", cause), HttpServerResponse.empty({ status: 500 }))

/** The token says who asks, the team's setting whether it may. */
const access: Layer.Layer<ManagedApi.Access, never, Account> = Layer.effect(
  ManagedApi.Access,
  Effect.map(Account, (account) =>
    Effect.gen(function*() {
      const { headers } = yield* HttpServerRequest.HttpServerRequest
      const team = (yield* HttpRouter.params)["team"] ?? ""
      const token = Identity.credentialOf(headers)
      if (token === undefined) {
        return yield* new Unauthenticated({ problem: "send a token as `Authorization: Bearer …`" })
      }
      const host = yield* account.authenticate(token)
      const named = yield* account.teamSetting(team, ManagedApi.hostsSetting).pipe(
        Candidate.as(host),
        Effect.map(Option.exists((setting) => candidatesOf(setting).includes(Candidate.format(host)))),
        Effect.catchTag("AccessDenied", () => Effect.succeed(false))
      )
      return named ? { team, host } : yield* new ManagedApi.NotAllowed({ team })
    }).pipe(
      Effect.catchTags({
        ConnectorError: (error) => managed.failed(error),
        NoCandidate: (error) => Effect.die(error)
      })
    ))
)

const candidatesOf = (setting: unknown): ReadonlyArray<string> =>
  Array.isArray(setting)
    ? setting.filter((one) => typeof one === "string")
    : typeof setting !== "string"
    ? []
    : Option.match(decodeList(setting), {
      onNone: () => setting.split(",").map((one) => one.trim()),
      onSome: (list) => list
    })

const decodeList = Schema.decodeUnknownOption(Schema.parseJson(Schema.Array(Schema.String)))
