/** As much of Electron as the recipe uses, with its names. */
export const app: {
  whenReady(): Promise<void>;
  on(event: "before-quit", listener: (event: { preventDefault(): void }) => void): void;
  quit(): void;
};
export class BrowserWindow {
  constructor(options: { webPreferences?: { preload?: string } });
  loadFile(path: string): Promise<void>;
}
export const ipcMain: {
  handle(channel: string, listener: (event: unknown, image: Uint8Array) => unknown): void;
};
