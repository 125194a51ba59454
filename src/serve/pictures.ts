/** Pictures that clients send: how they come, whether they are pictures, and that they are not too large to decode. */
import { refuse } from "./errors.ts";
import type { Limits } from "./limits.ts";
import { fetchPicture } from "./remote.ts";

export interface PictureRules {
  limits: Limits;
  /** Whether http(s) URLs are fetched. */
  remote: boolean;
}

const FORMATS = ["png", "jpeg", "webp", "gif"];

/** The bytes of a picture, once its header is known to be harmless. Nothing is decoded here. */
export async function checkedPicture(
  bytes: Uint8Array,
  param: string,
  { limits }: Pick<PictureRules, "limits">,
): Promise<Uint8Array> {
  if (bytes.length === 0) refuse(400, `${param}: the picture is empty`, { code: "invalid_image", param });
  const sharp = (await import("sharp")).default;
  const header = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch(() => undefined);
  if (!header || !FORMATS.includes(header.format))
    return refuse(400, `${param}: not a picture, or damaged; expected PNG, JPEG, WebP or GIF`, {
      code: "invalid_image",
      param,
    });
  const { width, height } = header;
  if (width * height > limits.pixels)
    refuse(400, `${param}: ${width} x ${height} pixels are more than the ${limits.pixels} that this server takes`, {
      code: "image_too_large",
      param,
    });
  return bytes;
}

/**
 * The picture behind a URL: data: URLs hold it, http(s) ones are fetched where that is allowed. Errors: 400 naming
 * `param`.
 */
export async function pictureOf(url: string, param: string, rules: PictureRules): Promise<Uint8Array> {
  const bytes = /^data:/i.test(url) ? fromDataUrl(url, param) : await fromWeb(url, param, rules);
  return checkedPicture(bytes, param, rules);
}

function fromDataUrl(url: string, param: string): Uint8Array {
  const comma = url.indexOf(",");
  const head = url.slice(0, Math.max(comma, 0)).toLowerCase();
  if (!/^data:image\/[\w.+-]{1,32};base64$/.test(head))
    refuse(400, `${param}: expected data:image/TYPE;base64,...`, { code: "invalid_image_url", param });
  const text = url.slice(comma + 1);
  if (text.length % 4 === 1 || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(text))
    refuse(400, `${param}: this is not base64`, { code: "invalid_base64_image", param });
  return Buffer.from(text, "base64");
}

async function fromWeb(url: string, param: string, { limits, remote }: PictureRules): Promise<Uint8Array> {
  const refused = (why: string): never => refuse(400, `${param}: ${why}`, { code: "invalid_image_url", param });
  if (!/^https?:\/\//i.test(url)) refused("expected a data: URL of a picture");
  if (!remote) refused("this server fetches no pictures; send a data: URL, or start it with --allow-remote-images");
  return fetchPicture(url, { bytes: limits.bytes, seconds: limits.arrival }).catch((error: Error) =>
    refused(error.message),
  );
}
