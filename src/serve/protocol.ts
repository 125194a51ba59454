/**
 * What clients and the server say to each other over HTTP: requests and responses of OpenAI's image and chat endpoints
 * with the extensions of this server, and its own jobs. Knows no transport and no Node: browsers use it too.
 */
export * from "./protocol/chat.ts";
export * from "./protocol/images.ts";
export * from "./protocol/jobs.ts";
export * from "./protocol/models.ts";
