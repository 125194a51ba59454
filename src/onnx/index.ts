/** Graph to .onnx bytes. */
export { type ExternalData, type WriteOptions, writeOnnx } from "./write.ts";
