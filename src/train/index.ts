/** Training: a task, an optimiser, a loop that survives being killed. */
export { type ExportOptions, exportWeights } from "./checkpoint.ts";
export { readTrainConfig, type TrainConfig, type TrainSettings, trainConfigOf } from "./config.ts";
export { type DetectorTraining, detectorTask, type TrainingPicture, trainingPicture } from "./detector.ts";
export { collectStage, type DistillRunOptions, distillModel } from "./distill.ts";
export {
  DISTILL_PRESETS,
  type DistillConfig,
  type DistillOptions,
  type DistillPreset,
  type DistillStage,
  distillConfigOf,
  readDistillSettings,
} from "./distill-config.ts";
export type { DistillProgress } from "./distill-data.ts";
export {
  type DistillBatch,
  type DistillLosses,
  type DistillSettings,
  type DistillWeights,
  distillFeeds,
  distillLosses,
} from "./distill-losses.ts";
export {
  comparedPositions,
  type DistributionTable,
  distributionTable,
  type ImagePair,
  type ImagePairOptions,
  imagePair,
  imageTrajectory,
  type TextPair,
  textLabels,
  textPair,
} from "./distill-trajectory.ts";
export type { Weights } from "./flat.ts";
export { fashionSource, type LabelledPicture, type LabelledSource, OBJECTS, objectSource } from "./labelled.ts";
export { type Progress, type TrainOptions, type TrainTask, train } from "./loop.ts";
export { adaptLayers, isLora, type Lora, mergeLora } from "./lora.ts";
export { type MagvitTraining, magvitTask, reconstruct } from "./magvit.ts";
export { lastOf, type MsvqTraining, msvqTask } from "./msvq.ts";
export { type PipelineOptions, type Stage, trainModel } from "./pipeline.ts";
export {
  type MaskedPicture,
  maskForTraining,
  PRETRAIN_TASKS,
  PRETRAIN_WEIGHTS,
  type PretrainLosses,
  type PretrainOptions,
  type PretrainTask,
  pretrainFeeds,
  pretrainLosses,
  targetsOf,
} from "./pretrain-losses.ts";
export { learningRate, type Schedule } from "./schedule.ts";
export { pictureDecoder, type ShowoParts, type ShowoTraining, showoTask } from "./showo.ts";
export {
  CAPTION_QUESTION,
  type Corpus,
  type Dialogue,
  folderSource,
  type Lesson,
  type Source,
  sceneSource,
} from "./source.ts";
export {
  createTrainer,
  type Objective,
  OPTIMIZER,
  type OptimizerConfig,
  type Trainer,
  type TrainerOptions,
} from "./step.ts";
export { trainVocabulary } from "./texts.ts";
export {
  type ImagePoints,
  type ImageTrajectory,
  imagePoints,
  pictureAt,
  type RecordOptions,
  recordPictures,
  recordText,
  type SegmentOptions,
  type TextTrajectory,
  targetCount,
} from "./trajectories.ts";
export {
  type Codec,
  collectTrajectories,
  pictureCodec,
  readTrajectories,
  textCodec,
  trajectoriesIn,
} from "./trajectory-files.ts";
export { type RefinerTraining, refinerTask, type VarLesson, type VarTraining, varDecays, varTask } from "./var.ts";
export { type DrawnClass, type DrawnLessons, drawnCodec, drawnLessons } from "./var-drawn.ts";
export { distillation, distillationWithLabels, divergenceRows, tokenLoss } from "./var-losses.ts";
export { type VarSchedule, varSchedule } from "./var-schedule.ts";
