// Writing: Show-o and Turbo token by token and by Jacobi iteration, and Show-o from Turbo's drafts; all in turns on the same
// scenes. With a picture of one text settling. node runs/table-text.mjs      (environment: runs/tables.mjs; without a student
// of the first stage its row is left out)
import { existsSync } from "node:fs";
import { drawText, fillRectangle, picture, textHeight, textWidth } from "fewstep/image";
import { DOMAINS, loadAtlas, makeScene } from "fewstep/scenes";
import { captions, models, open, save, say, section, share, table } from "./tables.mjs";

const images = Number(process.env.IMAGES ?? 100);
const domain = DOMAINS[process.env.SCENES ?? "quarters"];
const atlas = await loadAtlas();
const [teacher, turbo] = [await open(models.teacher), await open(models.turbo)];
const star = existsSync(models.star) ? await open(models.star) : undefined;
const ways = [
  {
    name: "Show-o, token by token",
    by: teacher,
    options: { decoding: "ar" },
    quality: [models.teacher, "ar"],
    paper: ["41.8", "25.8"],
  },
  { name: "Show-o, Jacobi rounds of 16", by: teacher, options: { block: 16 }, paper: ["38.2", "25.8"] },
  { name: "Show-o, window by measure", by: teacher, options: {} },
  {
    name: "Turbo*, Jacobi rounds of 16",
    by: star,
    options: { block: 16 },
    quality: [models.star, "jacobi"],
    paper: ["61.3", "19.2"],
  },
  {
    name: "Turbo, Jacobi rounds of 16",
    by: turbo,
    options: { block: 16 },
    quality: [models.turbo, "jacobi"],
    paper: ["64.5", "21.8"],
  },
  // Most captions in one round, with fewer slots behind their end.
  { name: "Turbo, Jacobi rounds of 10", by: turbo, options: { block: 10 } },
  { name: "Turbo, window by measure", by: turbo, options: {} },
  { name: "Show-o from Turbo's drafts", by: teacher, options: { drafter: turbo } },
].filter(({ by }) => by);
/** What no way of writing goes without: the pass over picture and question, with the first token. */
const readings = [teacher, turbo].map((by) => ({ by, ms: 0 }));
const sums = ways.map(() => ({ tokens: 0, passes: 0, slots: 0, ms: 0, same: 0 }));
say("speed, in turns");
const pixels = teacher.config.magvit.resolution;
for (let index = -2; index < images; index++) {
  const scene = makeScene(atlas, domain, { seed: 1000, index: Math.max(index, 0), split: "heldout", pixels });
  const source = { width: scene.width, height: scene.height, data: scene.pixels };
  let plain;
  for (const [i, { by, options }] of ways.entries()) {
    const {
      text,
      tokens,
      passes,
      draftPasses = 0,
      slots,
      timings,
    } = await by.describe(source, undefined, { seed: 1, ...options });
    plain ??= text;
    // The first two turns warm up.
    if (index < 0) continue;
    const sum = sums[i];
    sum.tokens += tokens;
    sum.passes += passes + draftPasses;
    sum.slots += slots;
    sum.ms += timings.text;
    sum.same += Number(text === plain);
  }
  for (const reading of readings) {
    const { timings } = await reading.by.describe(source, undefined, { decoding: "ar", maxTokens: 1 });
    if (index >= 0) reading.ms += timings.text;
  }
}
const alone = sums[0].ms;
const [reading, drafting] = readings.map(({ ms }) => ms);
const each = (ms) => `${(ms / images).toFixed(1)} ms`;
const limits = `Show-o takes ${each(alone)} for a caption of ${(sums[0].tokens / images).toFixed(1)} tokens, ${each(reading)} of it for picture and question with the first token; Turbo takes ${each(drafting)} for that. So nothing makes Turbo more than ${(alone / drafting).toFixed(2)} times as fast on these captions, nor its drafts Show-o more than ${(alone / (reading + drafting)).toFixed(2)} times: both have to read.`;
const base = sums[0].tokens / sums[0].ms;
const rows = ways.map(({ name, quality, paper = ["", ""] }, i) => {
  const { tokens, passes, slots, ms, same } = sums[i];
  const read = quality && captions(...quality);
  return [
    name,
    ((1000 * tokens) / ms).toFixed(0),
    (tokens / ms / base).toFixed(2),
    (tokens / passes).toFixed(2),
    (slots / tokens).toFixed(2),
    `${same} of ${images}`,
    read ? share(read.facts) : "",
    read?.cider === undefined ? "" : read.cider.toFixed(2),
    ...paper,
  ];
});

say("a text settling");
await save("text-settling", await settling(turbo));
await section(
  "table:text",
  "Turbo: writing",
  [
    `\`node runs/table-text.mjs\`: captions of ${images} held-out scenes, all ways in turns in one process. Passes of a drafter count. The last columns are the paper's Table 7 (256 px, an RTX 4090, without a cache; CIDEr on NoCaps).`,
    table(
      [
        "",
        "tokens/s",
        "to token by token",
        "tokens a pass",
        "slots a token",
        "Show-o's own text",
        "facts",
        "CIDEr",
        "paper: tokens/s",
        "paper: CIDEr",
      ],
      rows,
    ),
    limits,
    "One text of Turbo settling, pass by pass; dark is settled:",
    "![A text settling, pass by pass](pictures/text-settling.png)",
  ].join("\n\n"),
);

/** Each pass on a line: what is settled, then what is guessed. */
async function settling(model) {
  const scene = makeScene(atlas, domain, { seed: 1000, index: 1, split: "heldout", pixels });
  const lines = [];
  const source = { width: scene.width, height: scene.height, data: scene.pixels };
  for await (const { pass, text, draft } of model.describe(source, undefined, { seed: 1, block: 16 }))
    lines.push({ label: `${pass}`, text, draft });
  const [scale, left] = [2, 60];
  const line = textHeight(scale) + 14;
  const width = left + 40 + Math.max(...lines.map(({ text, draft }) => textWidth(text + draft, scale)));
  const out = picture(width, lines.length * line + 20);
  for (const [i, { label, text, draft }] of lines.entries()) {
    const y = 10 + i * line;
    const settled = textWidth(text, scale);
    fillRectangle(out, { x: left - 4, y: y - 4, width: settled + 8, height: line - 4 }, [214, 228, 240]);
    drawText(out, label, 16, y, [105, 112, 122], scale);
    drawText(out, text, left, y, [0, 60, 120], scale);
    drawText(out, draft, left + settled + 8, y, [170, 176, 184], scale);
  }
  return out;
}
