/** Property tests draw anew each time and print the seed of a failure; `SRE_SEED=N npm test` draws the same again. */
import { FastCheck } from "effect"

const seed = process.env["SRE_SEED"]
if (seed !== undefined) FastCheck.configureGlobal({ ...FastCheck.readConfigureGlobal(), seed: Number(seed) })
