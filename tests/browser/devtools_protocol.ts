/**
 * The DevTools protocol: methods that a browser is asked for, and events.
 *
 * @module
 */

/** How long a browser may take to answer, in seconds. */
const patience = 120;

/** What a promise gives, if it does so in time. */
export async function inTime<T>(promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`no answer within ${patience} s`)),
    1000 * patience,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Parameters, or results. */
// deno-lint-ignore no-explicit-any -- the protocol's own types are many
export type Message = any;

/** A connection to a browser. */
export interface Protocol {
  /** Calls a method; gives its result. */
  readonly send: (
    method: string,
    parameters?: Message,
    session?: string,
  ) => Promise<Message>;
  /** Resolves when the browser has hung up. */
  readonly closed: Promise<void>;
  /** Has events told to a listener. */
  readonly listen: (
    listener: (method: string, parameters: Message, session?: string) => void,
  ) => void;
}

/** Connects to a browser that listens. */
export async function connect(url: string): Promise<Protocol> {
  const socket = new WebSocket(url);
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  socket.onopen = () => opened.resolve();
  socket.onerror = () => opened.reject(new Error(`no answer from ${url}`));
  const waiting = new Map<number, PromiseWithResolvers<Message>>();
  const listeners: Parameters<Protocol["listen"]>[0][] = [];
  socket.onclose = () => {
    closed.resolve();
    for (const { reject } of waiting.values()) {
      reject(new Error("the browser has ended"));
    }
  };
  socket.onmessage = ({ data }) => {
    const { id, result, error, method, params, sessionId } = JSON.parse(data);
    if (id === undefined) {
      for (const listener of listeners) listener(method, params, sessionId);
    } else if (error !== undefined) {
      waiting.get(id)?.reject(new Error(error.message));
    } else waiting.get(id)?.resolve(result);
    waiting.delete(id);
  };
  await opened.promise;
  let last = 0;
  return {
    send: (method, params = {}, sessionId) => {
      const answer = Promise.withResolvers<Message>();
      waiting.set(++last, answer);
      socket.send(JSON.stringify({ id: last, method, params, sessionId }));
      return answer.promise;
    },
    listen: (listener) => listeners.push(listener),
    closed: closed.promise,
  };
}
