// node-ipc ships no types; this is what the test uses of 14.0.0.
declare module "node-ipc" {
  type Client = {
    on(event: string, listener: (data: unknown) => void): void;
    emit(event: string, data: unknown): void;
  };
  const ipc: {
    config: { id: string; silent: boolean; stopRetrying: boolean };
    of: Record<string, Client>;
    connectTo(id: string, path: string, ready: () => void): void;
    disconnect(id: string): void;
  };
  // biome-ignore lint/style/noDefaultExport: the package exports itself so
  export default ipc;
}
