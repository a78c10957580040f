/** Counts, by address, the connections of which the broker doesn't know yet whose they are. */
export type Strangers = {
  /** Null when there are too many from there; else to be called when that one is known, or has gone. */
  meet(address: string): (() => void) | null;
};

export function createStrangers(most: number): Strangers {
  const counts = new Map<string, number>();
  return {
    meet(address) {
      const count = counts.get(address) ?? 0;
      if (count >= most) return null;
      counts.set(address, count + 1);
      let isStranger = true;
      return () => {
        if (!isStranger) return;
        isStranger = false;
        const left = (counts.get(address) ?? 1) - 1;
        if (left > 0) counts.set(address, left);
        else counts.delete(address);
      };
    },
  };
}
