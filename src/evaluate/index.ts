/** Models to scores: what they read, what they draw, what their tokens keep. */
export { type Cider, cider } from "./cider.ts";
export { type CodeFigures, type CodeOptions, detectorJudge, evaluateCode, type Look } from "./code.ts";
export {
  type Acceptance,
  acceptanceOf,
  type Case,
  type CaseOptions,
  calibrate,
  detectorCases,
  oneFactWrong,
} from "./detector.ts";
export { frechetDistance } from "./frechet.ts";
export {
  type Ceilings,
  ceilingsOf,
  evaluateGeneval,
  type GenevalOptions,
  type GenevalResult,
  type Score,
} from "./geneval.ts";
export { commitOf, modelHash } from "./identity.ts";
export { clusteredShare, meanOfShares, type Share, shareOf, Tally } from "./interval.ts";
export { judge, liesTo, type Verdict } from "./judge.ts";
export {
  absentClasses,
  evaluatePope,
  POPE_MODES,
  type PopeMode,
  type PopeScore,
  popeScore,
  saysYes,
  statisticsOf,
} from "./pope.ts";
export { evaluateTokenizer, type TokenizerOptions, type TokenizerQuality } from "./tokenizer.ts";
export {
  evaluateUnderstanding,
  type Reader,
  type Reading,
  type Understanding,
  type UnderstandingOptions,
} from "./understanding.ts";
