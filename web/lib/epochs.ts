// Which kept answers are found no more. Next dates an answer when it is stored, and compares that with a clock that stands
// still while the machine sleeps: what the gateway has said just before a change could be kept as newer than it. But Next
// finds what it keeps by the headers of the request, too, and so by these numbers, which each message raises.
const MOST = 10_000; // tags that are remembered one by one

interface Epochs {
  all: number;
  byTag: Map<string, number>;
}

// Pages and routes are bundles of their own, in one process.
const shared = globalThis as typeof globalThis & { gladEpochs?: Epochs };
const epochs = (shared.gladEpochs ??= { all: 0, byTag: new Map() });

/** What was kept under this tag is of before. */
export function raiseEpoch(tag: string): void {
  if (epochs.byTag.size >= MOST && !epochs.byTag.has(tag)) {
    epochs.all += 1; // everything is asked anew, once in so many changes
    epochs.byTag.clear();
  }
  epochs.byTag.set(tag, (epochs.byTag.get(tag) ?? 0) + 1);
}

export function epochOf(tags: string[]): string {
  return [epochs.all, ...tags.map((tag) => epochs.byTag.get(tag) ?? 0)].join(".");
}
