/** The page that draws, and what it needs of this machine: its files, training runs, models. */
export { listRuns, type RunInfo, type RunPart, readRun } from "./runs.ts";
export { STUDIO_PORT, type Studio, type StudioOptions, startStudio } from "./server.ts";
export { createSite, type Site, type SiteOptions } from "./site.ts";
