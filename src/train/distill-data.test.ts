/** What a distillation keeps of what its teacher draws. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { saveTinyData } from "../../test/tiny-model.ts";
import { DOMAINS, implies, parseFacts } from "../scenes/index.ts";
import { distillConfigOf } from "./distill-config.ts";
import { collectionsOf, dataOf } from "./distill-data.ts";
import { describePicture, openTeacher } from "./distill-teacher.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-distill-data-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = (verified: boolean, redraws = 0, rewrites: { from: string; to: string }[] = []) =>
  distillConfigOf({
    name: "student",
    teacher: "turbo-mini",
    unguided: { steps: 0 },
    stages: [{ passes: 3, guidance: 0, segments: 1, textSegments: 1, steps: 1 }],
    trajectories: { noises: 1000, labels: 1, verified, redraws, rewrites },
  });

test("verified pictures are those that the teacher describes as they were asked for", async () => {
  const teacher = await openTeacher("turbo-mini", { threads: 1 });
  const [all, kept] = await Promise.all(
    [false, true].map(async (verified) => {
      const config = settings(verified);
      const { pictures } = await collectionsOf(config, config.stages[0], teacher, root);
      return pictures.record(0, 16);
    }),
  );
  const right = [];
  for (const picture of all) {
    const [asked, shown] = [teacher.text.decode(picture.prompt), await describePicture(teacher, picture.ids_L)].map(
      (text) => parseFacts(text, DOMAINS.easy),
    );
    if (asked && shown && implies(shown, asked)) right.push(picture);
  }
  expect(all).toHaveLength(16);
  expect(right.length).toBeGreaterThan(0);
  expect(right.length).toBeLessThan(16);
  expect(kept).toEqual(right);
  await teacher.dispose();
});

test("pictures that turn out wrong are drawn again, and no prompt is left out", async () => {
  const teacher = await openTeacher("turbo-mini", { threads: 1 });
  const record = async (verified: boolean, redraws: number) => {
    const config = settings(verified, redraws);
    const { pictures } = await collectionsOf(config, config.stages[0], teacher, root);
    return { drawn: await pictures.record(0, 16), origin: pictures.collection.origin };
  };
  const [once, again, kept] = [await record(false, 0), await record(false, 2), await record(true, 2)];
  const prompts = ({ drawn }: typeof once) => drawn.map(({ prompt }) => prompt.join());
  expect(prompts(again)).toEqual(prompts(once));
  expect(again.origin).not.toEqual(once.origin);
  const right = new Set((await record(true, 0)).drawn.map(({ ids_L }) => ids_L.join()));
  const now = again.drawn.map(({ ids_L }) => ids_L.join());
  // What was right stays; of the others some have become right, the rest is as it was.
  for (const [i, { ids_L }] of once.drawn.entries()) if (right.has(ids_L.join())) expect(now[i]).toBe(ids_L.join());
  const changed = now.filter((ids, i) => ids !== once.drawn[i].ids_L.join());
  expect(changed.length).toBeGreaterThan(0);
  expect(kept.drawn.map(({ ids_L }) => ids_L.join())).toEqual(
    now.filter((ids) => right.has(ids) || changed.includes(ids)),
  );
  await teacher.dispose();
});

test("prompts are drawn as they are rewritten and learnt as they are", async () => {
  const teacher = await openTeacher("turbo-mini", { threads: 1 });
  const prompts = ["dog and a cup", "cake and a bus", "kite and a chair", "cow"].map((what) => `a photo of a ${what}`);
  const record = async (rewrites: { from: string; to: string }[], verified = false) => {
    const config = settings(verified, 0, rewrites);
    const data = { ...(await dataOf(config, 64)), prompts };
    const { pictures } = await collectionsOf(config, { ...config.stages[0], passes: 8 }, teacher, root, data);
    const drawn = await pictures.record(0, 16);
    const told = await Promise.all(drawn.map(({ ids_L }) => describePicture(teacher, ids_L)));
    return { drawn, told, above: told.filter((text) => text.includes(" above ")), origin: pictures.collection.origin };
  };
  const rewrites = [{ from: " and ", to: " above " }];
  const [plain, rewritten, kept] = [await record([]), await record(rewrites), await record(rewrites, true)];
  expect(rewritten.origin).not.toEqual(plain.origin);
  expect(rewritten.drawn.map(({ prompt }) => prompt)).toEqual(plain.drawn.map(({ prompt }) => prompt));
  expect(rewritten.above.length).toBeGreaterThan(plain.above.length + 2);
  for (const [i, { ids_L }] of rewritten.drawn.entries()) if (i % 4 === 3) expect(ids_L).toEqual(plain.drawn[i].ids_L);
  // What is verified is what was drawn: objects beside each other would do for the prompt, but are not kept.
  expect(kept.above.length).toBe(kept.told.filter((text) => !text.includes("cow")).length);
  expect(kept.above.length).toBeGreaterThan(2);
  await teacher.dispose();
});

test("pictures of a folder cannot be verified", async () => {
  const folder = join(root, "data");
  await saveTinyData(folder);
  await expect(dataOf({ ...settings(true), data: { folder } }, 32)).rejects.toThrow(/cannot be verified/);
  await expect(dataOf({ ...settings(false, 1), data: { folder } }, 32)).rejects.toThrow(/cannot be verified/);
  expect((await dataOf({ ...settings(false), data: { folder } }, 32)).prompts).toContain("a red car");
});
