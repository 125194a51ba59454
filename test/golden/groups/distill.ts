import type { Checks } from "../checks.ts";
export const distill: Checks = {};
