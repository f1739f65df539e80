/** Plays Electron: is ready, lets the page ask once, quits. */
import { readFileSync } from "node:fs";

const PHOTO = new URL("../../../../../examples/images/landscape.jpg", import.meta.url);
let handler;
let beforeQuit;
let prevented = 0;

export const app = {
  whenReady: () => Promise.resolve(),
  on: (_event, listener) => (beforeQuit = listener),
  quit: () => {
    let isPrevented = false;
    beforeQuit({ preventDefault: () => (isPrevented = true) });
    if (isPrevented) prevented += 1;
    else
      console.log(
        `quit let through ${prevented === 1 ? "once" : `${prevented} times`}, after the classifier was closed`,
      );
  },
};

export class BrowserWindow {
  async loadFile() {
    console.log("classify answered", JSON.stringify(await handler({}, new Uint8Array(readFileSync(PHOTO)))));
    app.quit();
  }
}

export const ipcMain = { handle: (_channel, listener) => (handler = listener) };
