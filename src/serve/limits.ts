/** What one server takes on. Everything that a client can make grow has a number here. */
export interface Limits {
  /** Requests that wait for a model; further ones get 429. One client may hold half of them. */
  queue: number;
  /** Pictures drawn at once: waiting requests with the same settings share a batch. */
  batch: number;
  /** Bytes of a request. */
  bytes: number;
  /** Pixels of a given picture. */
  pixels: number;
  /** Pixels of a side of a drawn picture. */
  side: number;
  /** Forward passes of a drawing. */
  steps: number;
  /** Steps that one request may have shown as pictures, all its pictures together. */
  previews: number;
  /** Seconds from request to answer, waiting included. */
  seconds: number;
  /** Seconds within which a request must have arrived. */
  arrival: number;
  /** Seconds that cancelled work may go on before its process is killed. */
  patience: number;
  /** Jobs that are remembered, and seconds that a finished one is. */
  jobs: number;
  memory: number;
  /** Characters of pictures that all remembered jobs hold together. */
  kept: number;
}

export const LIMITS: Limits = {
  queue: 64,
  batch: 8,
  bytes: 20 * 2 ** 20,
  pixels: 16_000_000,
  side: 2048,
  steps: 256,
  previews: 64,
  seconds: 300,
  arrival: 30,
  patience: 15,
  jobs: 200,
  memory: 600,
  kept: 256 * 2 ** 20,
};
