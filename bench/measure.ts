/** What a benchmark is made of: a number that was measured several times, and a table of them. */

export interface Row {
  readonly what: string
  readonly median: number
  readonly least: number
  readonly most: number
  readonly unit: string
}

/** The median of several measurements, and how far they went apart: the machine may have had other work. */
export const row = (what: string, unit: string, samples: ReadonlyArray<number>): Row => {
  const sorted = Array.from(samples).sort((a, b) => a - b)
  return { what, unit, median: sorted[sorted.length >> 1]!, least: sorted[0]!, most: sorted[sorted.length - 1]! }
}

/** Microseconds of one turn, measured `runs` times over many turns, after a warm-up. */
export const micros = async (turn: () => Promise<unknown>, turns: number, runs = 9): Promise<ReadonlyArray<number>> => {
  for (let i = 0; i < turns; i++) await turn()
  const samples: Array<number> = []
  for (let run = 0; run < runs; run++) {
    const started = performance.now()
    for (let i = 0; i < turns; i++) await turn()
    samples.push((performance.now() - started) * 1000 / turns)
  }
  return samples
}

/** Rows to the process that asked for them, one JSON text a line. */
export const report = (row: Row): void => console.log(JSON.stringify(row))

/** Microseconds: waited for, and of the processor. */
export interface Used {
  readonly wall: number
  readonly cpu: number
}

export const used = async (turn: () => unknown, turns: number): Promise<Used> => {
  const [started, before] = [performance.now(), process.cpuUsage()]
  for (let n = 0; n < turns; n++) await turn()
  const { system, user } = process.cpuUsage(before)
  return { wall: (performance.now() - started) * 1000 / turns, cpu: (system + user) / turns }
}

export interface Pair {
  readonly bare: Used
  readonly ours: Used
}

/** The two one after the other, so that what else the machine does hits both. Processor time is what hardly changes with it. */
export const inTurns = async (
  bare: () => unknown,
  ours: () => unknown,
  turns: number,
  runs = 9
): Promise<ReadonlyArray<Pair>> => {
  const pairs: Array<Pair> = []
  for (let n = 0; n < runs + 2; n++) {
    const pair = { bare: await used(bare, turns), ours: await used(ours, turns) }
    // The first two warm up.
    if (n >= 2) pairs.push(pair)
  }
  return pairs
}
