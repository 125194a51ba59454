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

const settings = (verified: boolean) =>
  distillConfigOf({
    name: "student",
    teacher: "turbo-mini",
    unguided: { steps: 0 },
    stages: [{ passes: 3, guidance: 0, segments: 1, textSegments: 1, steps: 1 }],
    trajectories: { noises: 1000, labels: 1, verified },
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

test("pictures of a folder cannot be verified", async () => {
  const folder = join(root, "data");
  await saveTinyData(folder);
  await expect(dataOf({ ...settings(true), data: { folder } }, 32)).rejects.toThrow(/cannot be verified/);
  expect((await dataOf({ ...settings(false), data: { folder } }, 32)).prompts).toContain("a red car");
});
