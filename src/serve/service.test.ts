/** The service without sockets and, where no model is needed, without models: guards, routes, documents, pictures. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { encodePicture, picture } from "../image/index.ts";
import { planEdit } from "./engine/edit.ts";
import { shownSteps } from "./engine/hand-over.ts";
import { createService, startServer } from "./index.ts";
import { fetchPicture, isPublic } from "./remote.ts";
import { ROUTES } from "./routes.ts";
import type { EditWork } from "./work.ts";

const ask = (
  service: ReturnType<typeof createService>,
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
) => service.fetch(new Request(`http://localhost${path}`, { headers, method }));

test("keys: everything but health and readiness needs one of them", async () => {
  const service = createService({ keys: ["secret-1", "secret-2"] });
  for (const { path, method, open } of ROUTES) {
    const { status } = await ask(service, path.replace(":id", "x"), {}, method.toUpperCase());
    expect([path, status]).toEqual([path, path === "/ready" ? 503 : open ? 200 : 401]);
  }
  expect((await ask(service, "/v1/models", { authorization: "Bearer secret-2" })).status).toBe(200);
  for (const wrong of ["Bearer secret", "Bearer ", "secret-1", "Basic secret-1", "Bearer secret-1secret-2"])
    expect((await ask(service, "/v1/models", { authorization: wrong })).status).toBe(401);
});

test("hosts and origins: pages of other sites get nothing, named ones get what they need", async () => {
  const service = createService({ hosts: ["localhost", "[::1]"], origins: ["http://localhost:3000"] });
  for (const [host, status] of [
    ["LOCALHOST:99", 200],
    ["[::1]:7117", 200],
    ["localhost.evil.example", 403],
    ["", 403],
  ])
    expect([host, (await ask(service, "/health", { host: `${host}` })).status]).toEqual([host, status]);
  const allowed = { host: "localhost:7117", origin: "http://localhost:3000" };
  const answer = await ask(service, "/v1/models", allowed);
  expect(answer.headers.get("access-control-allow-origin")).toBe("http://localhost:3000");
  const preflight = await ask(service, "/v1/images/generations", allowed, "OPTIONS");
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
  expect((await ask(service, "/v1/models", { ...allowed, origin: "http://localhost:3001" })).status).toBe(403);
  expect((await ask(service, "/v1/models", { ...allowed, origin: "http://localhost:7117" })).status).toBe(200);
});

test("listening beyond this machine needs a key", async () => {
  await expect(startServer({ host: "0.0.0.0", port: 0 })).rejects.toThrow(/there is no key/);
  await expect(startServer({ models: [] })).rejects.toThrow(/no model to serve/);
  await expect(startServer({ models: ["no-such-model"], port: 0 })).rejects.toThrow(/there is no model/);
});

type Content = {
  content: Record<string, { schema: { required: string[]; properties: Record<string, { required?: string[] }> } }>;
};
type Operation = { requestBody: Content; responses: Record<string, Content> };
interface Document {
  paths: Record<string, Record<string, Operation>>;
}

test("the OpenAPI document describes every route and the shape of errors", async () => {
  const document = (await (await ask(createService(), "/openapi.json")).json()) as Document;
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(described.sort()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path.replace(":id", "{id}")}`).sort());
  const { requestBody, responses } = document.paths["/v1/images/generations"].post;
  expect(requestBody.content["application/json"].schema.required).toEqual(["prompt"]);
  expect(responses.default.content["application/json"].schema.properties.error.required).toContain("code");
  const form = document.paths["/v1/images/edits"].post.requestBody.content["multipart/form-data"].schema;
  expect(form.properties).toMatchObject({ mask: { format: "binary" }, prompt: { type: "string" } });
});

test("metrics are counted by route, not by what a path says", async () => {
  const service = createService();
  await ask(service, "/v1/models/no-such");
  await ask(service, '/x"y\n');
  const text = await (await ask(service, "/metrics")).text();
  expect(text).toContain('fewstep_http_requests_total{route="/v1/models/:id",method="GET",status="404"} 1\n');
  expect(text).toContain('fewstep_http_requests_total{route="other",method="GET",status="404"} 1\n');
  expect(text.split("\n").filter((line) => !/^(# .*|[a-z_]+(\{.*\})? [\d.e+-]+|)$/.test(line))).toEqual([]);
});

test("what takes longer than the limit is given up, also while it waits", async () => {
  const service = createService({ limits: { seconds: 0.02 } });
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", headers, body: '{"prompt":"two red cars"}' };
  const answer = await service.fetch(new Request("http://localhost/v1/images/generations", request));
  expect(answer.status).toBe(504);
  expect(await answer.json()).toMatchObject({ error: { code: "timeout", type: "server_error" } });
  await service.close();
});

test("which addresses are public", () => {
  const inside = ["127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"];
  const six = ["::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1"];
  for (const address of [...inside, ...six, "224.0.0.1", "255.255.255.255"])
    expect([address, isPublic(address)]).toEqual([address, false]);
  for (const address of ["1.1.1.1", "172.32.0.1", "2606:4700::1111"])
    expect([address, isPublic(address)]).toEqual([address, true]);
});

test("remote pictures: public addresses only, no redirects, few bytes", async () => {
  const web = createServer((request, response) => {
    if (request.url === "/redirect") response.writeHead(302, { location: "/picture" });
    response.end(request.url === "/long" ? Buffer.alloc(5000) : "picture");
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  const { port } = web.address() as AddressInfo;
  const url = (host: string, path: string) => `http://${host}:${port}${path}`;
  const limits = { bytes: 1000, seconds: 5 };
  for (const host of ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"])
    await expect(fetchPicture(url(host, "/picture"), limits)).rejects.toThrow(/not on the public internet/);
  const allow = () => true;
  expect(`${await fetchPicture(url("127.0.0.1", "/picture"), { ...limits, allow })}`).toBe("picture");
  await expect(fetchPicture(url("127.0.0.1", "/redirect"), { ...limits, allow })).rejects.toThrow(/redirects/);
  await expect(fetchPicture(url("127.0.0.1", "/long"), { ...limits, allow })).rejects.toThrow(/larger than 1000/);
  await expect(fetchPicture(url("a:b@127.0.0.1", "/picture"), { ...limits, allow })).rejects.toThrow(/passwords/);
  web.close();
});

test("steps to show are spread over those before the last", () => {
  expect([...shownSteps(12, 3)]).toEqual([3, 6, 9]);
  expect([...shownSteps(4, 9)]).toEqual([1, 2, 3]);
  expect([...shownSteps(1, 3)]).toEqual([]);
});

/** A grey picture, transparent outside of the given rectangle. */
async function cutOut(width: number, height: number, left: number, up: number, w: number, h: number) {
  const sharp = (await import("sharp")).default;
  const rgba = Buffer.alloc(width * height * 4);
  for (let y = up; y < up + h; y++)
    for (let x = left; x < left + w; x++) rgba.fill(255, (y * width + x) * 4, (y * width + x) * 4 + 4);
  return sharp(rgba, { raw: { width, height, channels: 4 } })
    .png()
    .toBuffer();
}

test("what an edit asks for", async () => {
  const plan = async (image: Uint8Array, more: Partial<EditWork> = {}) => {
    const { task, ...rest } = await planEdit({ image, maskMode: "auto", ...more } as EditWork);
    return task === "extend" ? { task, ...rest } : { task };
  };
  const whole = new Uint8Array(await encodePicture(picture(40, 40)));
  expect(await plan(await cutOut(80, 40, 30, 0, 40, 40))).toMatchObject({
    ...{ task: "extend", image: { width: 40, height: 40 }, margins: { left: 30, right: 10, up: 0, down: 0 } },
  });
  expect(await plan(await cutOut(40, 60, 0, 20, 40, 40))).toMatchObject({ margins: { left: 0, up: 20, down: 0 } });
  // A hole, and a frame all around: both are a mask.
  expect(await plan(await cutOut(40, 40, 10, 10, 20, 20))).toEqual({ task: "inpaint" });
  expect(await plan(await cutOut(40, 40, 0, 0, 20, 40))).toEqual({ task: "inpaint" });
  expect(await plan(whole, { size: { width: 300, height: 100 } })).toMatchObject({ margins: { left: 40, right: 40 } });
  expect(await plan(whole, { size: { width: 100, height: 150 } })).toMatchObject({ margins: { up: 10, down: 10 } });
  expect(await plan(whole, { margins: { up: 7 } })).toMatchObject({ task: "extend", margins: { up: 7 } });
  expect(await plan(whole, { mask: whole })).toEqual({ task: "inpaint" });
  await expect(plan(whole)).rejects.toThrow(/nothing says what to draw/);
  await expect(plan(whole, { mask: whole, size: { width: 300, height: 100 } })).rejects.toThrow(/not a square/);
  await expect(plan(await cutOut(8, 8, 0, 0, 0, 0))).rejects.toThrow(/wholly transparent/);
});
