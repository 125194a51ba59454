/** The file system, where there is one. In a page fs.web.ts stands for it. */
export { default as fs } from "node:fs";
