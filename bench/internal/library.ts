/** The library as it was built for this run, which the parent process names. */
const root = process.env["BENCH_LIBRARY"]

/** A module of it, by its path under `src`, without the extension. */
export const load = <Module>(path: string): Promise<Module> => import(new URL(`${path}.js`, root).href)
