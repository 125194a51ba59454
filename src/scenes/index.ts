/** Endless labelled scenes of recoloured emoji for training and judging small models. */
export * from "./atlas.ts";
export { BACKGROUNDS, type BackgroundName } from "./backgrounds.ts";
export { CLASS_NAMES, CLASSES, type ClassInfo, type ClassName, pluralOf } from "./classes.ts";
export { degrade, ruin, scramble, shifted } from "./degrade.ts";
export * from "./domains.ts";
export * from "./facts.ts";
export {
  GENEVAL_COUNTS,
  genevalPrompts,
  officialPrompts,
  parsePrompts,
  type Request,
} from "./geneval.ts";
export { captionOf, parseFacts, withArticle } from "./grammar.ts";
export { QUESTION_KINDS, type Question, type QuestionKind, questionsOf } from "./questions.ts";
export { COLOR_NAMES, COLORS, type Color } from "./recolor.ts";
export { makeScene, type Scene, type SceneOptions, type Sketch, sketchScene } from "./scene.ts";
export { type Picture, sheet } from "./sheet.ts";
export { heldOutColors, heldOutPairs, isColorHeldOut, isPairHeldOut, type Split } from "./splits.ts";
export { cannotStage, type Staged, type StageOptions, scenePixels, stageScene } from "./stage.ts";
export { words } from "./words.ts";
