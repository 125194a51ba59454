/** The tables of docs/RESULTS.md, as they were when this page was built. */
import text from "../../../docs/RESULTS.md?raw";
import { Title } from "../parts/fields.tsx";

type Block =
  | { kind: "heading"; text: string }
  | { kind: "text"; text: string }
  | { kind: "table"; head: string[]; rows: string[][] };

/** Headings, paragraphs and tables of a Markdown text. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  for (const part of markdown.replace(/<!--.*?-->\n?/gs, "").split(/\n\n+/)) {
    const lines = part.trim().split("\n");
    if (lines[0].startsWith("|")) {
      const [head, , ...rows] = lines.map((line) =>
        line
          .slice(1, -1)
          .split("|")
          .map((cell) => cell.trim()),
      );
      blocks.push({ kind: "table", head, rows });
    } else if (lines[0].startsWith("#")) blocks.push({ kind: "heading", text: lines[0].replace(/^#+ /, "") });
    else if (lines[0] && !/^(!\[|```)/.test(lines[0])) blocks.push({ kind: "text", text: lines.join(" ") });
  }
  return blocks;
}

const plain = (text: string): string => text.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll("**", "");

/** Text with `code` in it. */
const Prose = ({ text }: { text: string }) =>
  plain(text)
    .split("`")
    .map((part, i) => (i % 2 ? <code key={`${i} ${part}`}>{part}</code> : part));

export function Results() {
  return (
    <section className="space-y-4" aria-label="Results">
      <Title hint="Commands write these figures, nobody types them.">Results</Title>
      {blocksOf(text)
        .slice(1)
        .map((block, i) => {
          const key = `${i} ${block.kind}`;
          if (block.kind === "heading")
            return (
              <h3 key={key} className="pt-4 text-base font-semibold">
                <Prose text={block.text} />
              </h3>
            );
          if (block.kind === "text")
            return (
              <p key={key} className="hint max-w-prose break-words">
                <Prose text={block.text} />
              </p>
            );
          return (
            <section
              key={key}
              className="panel overflow-x-auto p-0"
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys.
              tabIndex={0}
              aria-label={`Table: ${block.head.join(", ")}`}
            >
              <table className="figure w-full text-left text-sm">
                <thead>
                  <tr className="border-b border-line text-soft">
                    {block.head.map((cell) => (
                      <th key={cell} scope="col" className="px-4 py-2.5 font-medium">
                        <Prose text={cell} />
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {block.rows.map((row) => (
                    <tr key={row.join()} className="border-b border-line last:border-0">
                      {row.map((cell, at) => (
                        <td key={`${at} ${cell}`} className="px-4 py-2">
                          <Prose text={cell} />
                        </td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          );
        })}
    </section>
  );
}
