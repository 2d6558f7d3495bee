/** Folders that connectors keep their data in: one process at a time, files replaced as a whole or not at all. */
import { Clock, Config, Deferred, Effect, Exit, Option, Schedule, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import {
  access,
  constants,
  type FileHandle,
  mkdir,
  open as openFile,
  readdir,
  rename,
  rm,
  stat
} from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import lockfile from "proper-lockfile"
import { ConnectorError, type Reason } from "../kernel/ConnectorError.ts"

/**
 * Creates the folder (for its owner only) where it is missing, and holds it until the scope closes; gives its absolute path.
 * A folder another process holds is `Locked`. The lock of a process that was killed is taken over after five seconds.
 */
export const open = Effect.fnUntraced(
  function*(connector: string, folder: string): Effect.fn.Return<string, ConnectorError, Scope.Scope> {
    const path = resolve(folder)
    yield* makeFolder(connector, "open", path)
    yield* attempt(connector, "open", () => access(path, constants.R_OK | constants.W_OK | constants.X_OK))
    yield* hold(connector, path)
    return path
  }
)

/**
 * Makes the folder and those above it, for their owner only; true when it was not there. Not with the `recursive` of Node,
 * which never returns where a folder cannot hold others, as below `/proc`.
 */
export const makeFolder = (connector: string, method: string, path: string): Effect.Effect<boolean, ConnectorError> => {
  const create = attempt(connector, method, () => mkdir(path, { mode: 0o700 })).pipe(
    Effect.as(true),
    Effect.catchIf(({ cause }) => (cause as NodeJS.ErrnoException).code === "EEXIST", () => Effect.succeed(false))
  )
  return Effect.catchIf(
    create,
    ({ reason }) => reason === "NotFound" && dirname(path) !== path,
    () => Effect.zipRight(makeFolder(connector, method, dirname(path)), create)
  )
}

/** `name` in the folder `SRE_DATA`, by default `.sre` in the working directory. */
export const config = (name: string): Config.Config<string> =>
  Config.string("SRE_DATA").pipe(Config.withDefault(""), Config.map((folder) => join(folder || ".sre", name)))

/** Replaces the file at once: whoever reads it, also after a crash, sees the old content or all of the new. */
export const writeAtomic = (
  path: string,
  content: Uint8Array | string,
  mode = 0o600
): Effect.Effect<void, ConnectorError> => {
  const write = (file: FileHandle) => attempt("DataFolder", "write", (signal) => file.writeFile(content, { signal }))
  return Effect.scoped(Effect.flatMap(draft("DataFolder", path, write, mode), ({ commit }) => commit))
}

/**
 * A new file beside `path`, written to disk by the time this returns. `commit` puts it in place of `path`, if anything is
 * there; without a commit it is gone when the scope closes.
 */
export const draft = <A, E, R>(
  connector: string,
  path: string,
  write: (file: FileHandle) => Effect.Effect<A, E, R>,
  mode = 0o600
): Effect.Effect<
  { readonly written: A; readonly commit: Effect.Effect<void, ConnectorError> },
  E | ConnectorError,
  R | Scope.Scope
> =>
  Effect.gen(function*() {
    const temporary = join(dirname(path), `${temporaryPrefix}${randomUUID()}`)
    let isPending = true
    yield* Effect.addFinalizer(() => isPending ? quietly(() => rm(temporary, { force: true })) : Effect.void)
    const written = yield* Effect.acquireUseRelease(
      attempt(connector, "write", () => openFile(temporary, "wx", mode)),
      (file) => Effect.zipLeft(write(file), attempt(connector, "write", () => file.sync())),
      (file) => quietly(() => file.close())
    )
    const commit = Effect.zipRight(
      attempt(connector, "write", async () => {
        await rename(temporary, path)
        isPending = false
      }),
      syncFolder(dirname(path))
    )
    return { written, commit: Effect.uninterruptible(commit) }
  })

/** Makes renames and removals in the folder last through a power cut, where the file system can. */
export const syncFolder = (folder: string): Effect.Effect<void> =>
  Effect.acquireUseRelease(
    Effect.option(attempt("DataFolder", "sync", () => openFile(folder, "r"))),
    (file) => quietly(async () => Option.getOrUndefined(file)?.sync()),
    (file) => quietly(async () => Option.getOrUndefined(file)?.close())
  )

/** Removes what a killed process was writing. Only for the holder of the folder. */
export const sweep = (connector: string, folder: string): Effect.Effect<void, ConnectorError> =>
  attempt(connector, "open", () => readdir(folder, { recursive: true, withFileTypes: true })).pipe(
    Effect.map((entries) => entries.filter((one) => one.isFile() && one.name.startsWith(temporaryPrefix))),
    Effect.flatMap(
      Effect.forEach(({ name, parentPath }) => quietly(() => rm(join(parentPath, name), { force: true })), {
        discard: true,
        concurrency: 8
      })
    )
  )

/** What went wrong with a file, in terms a caller can branch on. Names paths, never contents. */
export const fromNodeError = (connector: string, method: string) => (cause: unknown): ConnectorError => {
  const { code, path } = cause as NodeJS.ErrnoException
  const known = reasons[code ?? ""]
  return new ConnectorError({
    connector,
    method,
    reason: known?.reason ?? "Unavailable",
    detail: `${path === undefined ? "" : `${path}: `}${known?.problem ?? code ?? "unexpected failure"}`,
    cause
  })
}

/** A call of `node:fs/promises`. */
export const attempt = <A>(
  connector: string,
  method: string,
  evaluate: (signal: AbortSignal) => Promise<A>
): Effect.Effect<A, ConnectorError> => Effect.tryPromise({ try: evaluate, catch: fromNodeError(connector, method) })

/** For clean-up: what fails there must not hide why it was needed. */
export const quietly = (evaluate: () => Promise<unknown>): Effect.Effect<void> =>
  Effect.ignore(Effect.tryPromise(evaluate))

const temporaryPrefix = "~tmp-"

const readOnly = "the folder is read-only for this process; give it write access or choose another folder"
const reasons: Readonly<Record<string, { readonly reason: Reason; readonly problem: string }>> = {
  EACCES: { reason: "Unauthorized", problem: readOnly },
  EPERM: { reason: "Unauthorized", problem: readOnly },
  EROFS: { reason: "Unauthorized", problem: readOnly },
  ENOENT: { reason: "NotFound", problem: "it does not exist" },
  ENOTDIR: { reason: "InvalidInput", problem: "a part of the path is a file, not a folder" },
  ENAMETOOLONG: { reason: "InvalidInput", problem: "the path is too long for the file system" },
  ENOSPC: { reason: "Full", problem: "the disk is full" },
  EDQUOT: { reason: "Full", problem: "the disk quota is used up" },
  EFBIG: { reason: "Full", problem: "the file is larger than the file system allows" }
}

/* ------------------------------------------------------------------------------------------------------------------
 * The lock: a folder whose time its holder renews every second, https://github.com/moxystudio/node-proper-lockfile
 * ---------------------------------------------------------------------------------------------------------------- */

const staleMillis = 5000

/** Tries until the lock is free, stale, or seen to be renewed: then its holder lives, and waiting is pointless. */
const hold = (connector: string, path: string) =>
  Effect.gen(function*() {
    const started = yield* Clock.currentTimeMillis
    const first = yield* renewedAt(path)
    const isHopeless = Effect.gen(function*() {
      const now = yield* renewedAt(path)
      return now !== undefined && first !== undefined && now !== first ||
        (yield* Clock.currentTimeMillis) > started + 2 * staleMillis
    })
    yield* Effect.retry(lock(connector, path), {
      schedule: Schedule.spaced("100 millis"),
      while: (error) => error.reason === "Locked" ? Effect.negate(isHopeless) : Effect.succeed(false)
    })
  })

const renewedAt = (path: string) =>
  Effect.promise(() => stat(join(path, lockName)).then(({ mtimeMs }) => mtimeMs, () => undefined))

const lock = (connector: string, path: string) =>
  Effect.gen(function*() {
    const lost = yield* Deferred.make<void>()
    yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () =>
          lockfile.lock(path, {
            lockfilePath: join(path, lockName),
            stale: staleMillis,
            update: 1000,
            onCompromised: () => Deferred.unsafeDone(lost, Exit.void)
          }),
        catch: (cause) =>
          (cause as NodeJS.ErrnoException).code === "ELOCKED"
            ? new ConnectorError({
              connector,
              method: "open",
              reason: "Locked",
              detail: `${path} is in use by another process or connector. Stop the other one, ` +
                "or choose another folder with SRE_DATA or the setting \"folder\""
            })
            : fromNodeError(connector, "open")(cause)
      }),
      (unlock) => quietly(unlock)
    )
    yield* Effect.forkScoped(Effect.zipRight(
      Effect.interruptible(Deferred.await(lost)),
      Effect.logError(`${connector}: the lock on ${path} was lost; another process may be writing there`)
    ))
  })

const lockName = ".lock"
