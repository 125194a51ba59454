/** The OpenAPI document, made of the table of routes and the schemas that check requests. */
import { z } from "zod";
import { ErrorResponse } from "./protocol.ts";
import type { Route } from "./routes.ts";

const json = (schema: z.ZodType, io: "input" | "output" = "output") => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
};

const file = { type: "string", format: "binary" };

/** A form has files beside the fields of its schema. */
function formSchema(schema: z.ZodType): object {
  const { properties, ...rest } = json(schema, "input") as { properties: object };
  return { ...rest, properties: { ...properties, image: file, mask: file } };
}

function requestOf({ takes }: Route): object {
  if (!takes) return {};
  const [type, schema] = takes.form
    ? ["multipart/form-data", formSchema(takes.schema)]
    : ["application/json", json(takes.schema, "input")];
  return { requestBody: { required: true, content: { [type]: { schema } } } };
}

function responseOf({ gives, streams, summary }: Route): object {
  const content = {
    ...(gives && { "application/json": { schema: json(gives) } }),
    ...(streams && { "text/event-stream": { schema: { oneOf: streams.map((event) => json(event)) } } }),
  };
  return { description: summary, ...(Object.keys(content).length > 0 && { content }) };
}

/** Version 3.1 of the OpenAPI specification. */
export function openApi(routes: readonly Route[], version: string): object {
  const failure = { description: "What is wrong", content: { "application/json": { schema: json(ErrorResponse) } } };
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    const parameters = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
      ...{ name, in: "path", required: true, schema: { type: "string" } },
    }));
    paths[path] ??= {};
    paths[path][route.method] = {
      summary: route.summary,
      parameters,
      security: route.open ? [] : [{ key: [] }],
      ...requestOf(route),
      responses: { [route.status ?? 200]: responseOf(route), default: failure },
    };
  }
  return {
    openapi: "3.1.0",
    info: { title: "fewstep", version, description: "Few-step pictures from text and text from pictures." },
    components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
    paths,
  };
}
