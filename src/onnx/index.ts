/** Graph to .onnx bytes and back. */
export { printOnnx } from "./print.ts";
export * from "./read.ts";
export { type ExternalData, nodeName, type WriteOptions, writeOnnx } from "./write.ts";
