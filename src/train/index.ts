/** Training: a task, an optimiser, a loop that survives being killed. */
export { type ExportOptions, exportWeights } from "./checkpoint.ts";
export { readTrainConfig, type TrainConfig, type TrainSettings, trainConfigOf } from "./config.ts";
export { type DetectorTraining, detectorTask, type TrainingPicture, trainingPicture } from "./detector.ts";
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
export { type Progress, type TrainOptions, type TrainTask, train } from "./loop.ts";
export { type MagvitTraining, magvitTask, reconstruct } from "./magvit.ts";
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
