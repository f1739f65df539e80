/** The application's own functions. What they throw is reported and ends nothing of ours. */
import { messageOf } from "./errors.ts";
import type { Logger } from "./logger.ts";

interface Callbacks {
  readonly onProgress?: ((event: never) => void) | undefined;
  readonly logger?: Logger | undefined;
}

/** Calls a function of the application; the log hears of what it throws, or Node's warnings where there is no log. */
export function guardedCall(name: string, logger: Logger | undefined, call: () => void): void {
  try {
    call();
  } catch (cause) {
    report(`${name} threw: ${messageOf(cause)}`, logger);
  }
}

/** The same options with functions that never throw. */
export function guarded<T extends Callbacks>(options: T): T {
  const { onProgress } = options;
  const logger = options.logger === undefined ? undefined : guardedLogger(options.logger);
  return {
    ...options,
    ...(logger && { logger }),
    ...(onProgress && {
      onProgress: (event: never) => guardedCall("onProgress", logger, () => onProgress(event)),
    }),
  };
}

function guardedLogger(logger: Logger): Logger {
  const guard =
    (level: keyof Logger) =>
    (message: string): void =>
      guardedCall(`logger.${level}`, undefined, () => logger[level](message));
  return { debug: guard("debug"), info: guard("info"), warn: guard("warn"), error: guard("error") };
}

function report(message: string, logger: Logger | undefined): void {
  if (logger === undefined) process.emitWarning(message, { code: "ISOTORCH_CALLBACK" });
  else logger.error(message);
}
