/** Files to pixels and back, pixels to tensors and back, and pictures made of pictures, text and curves. */
export * from "./codec.ts";
export * from "./draw.ts";
export { crop, type Grey, type Picture, paste, picture, type Raster } from "./picture.ts";
export { type Chart, plotCurves, type Series } from "./plot.ts";
export { readPngText } from "./png-text.ts";
export { type Filter, resize, resizeAndCrop } from "./resize.ts";
export { type SheetOptions, sheet } from "./sheet.ts";
export { maskToCells, postprocess, preprocess } from "./tensor.ts";
