/** One piece of work that many may ask for: never twice at once, and never lost when asked for while it runs. */
export function createWorker(work: () => Promise<void>, onError: (error: unknown) => void): () => void {
  let running = false;
  let wanted = false;

  const loop = async () => {
    while (wanted) {
      wanted = false;
      try {
        await work();
      } catch (error) {
        onError(error);
      }
    }
    running = false;
  };

  return () => {
    wanted = true;
    if (running) return;
    running = true;
    loop();
  };
}
