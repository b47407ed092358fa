import { CorpusError } from "./corpus_error.ts";
import { isJsonObject } from "./json_text.ts";

/** An object in a JSON file of the user's, and how to get there. */
export class JsonFields {
  /** The file. */
  readonly name: string;
  readonly #path: string;
  readonly #values: Readonly<Record<string, unknown>>;

  /**
   * @param path The fields that lead to it, with a dot at the end.
   * @throws {CorpusError} If the value isn't an object.
   */
  constructor(name: string, path: string, value: unknown) {
    this.name = name;
    this.#path = path;
    if (!isJsonObject(value)) {
      throw new CorpusError(
        `${name}: ${path || "the file"}: ${
          shownJson(value)
        }: expected an object`,
      );
    }
    this.#values = value;
  }

  /** The value of a field; `undefined` where it is `null` or missing. */
  get(field: string): unknown {
    return this.#values[field] ?? undefined;
  }

  /** Throws: the value of a field isn't supported. */
  fail(field: string, expected: string): never {
    throw new CorpusError(
      `${this.name}: ${this.#path}${field}: ${
        shownJson(this.get(field))
      } isn't supported: ${expected}`,
    );
  }

  /** The object in a field. */
  fields(field: string): JsonFields {
    const path = `${this.#path}${field}`;
    const value = this.get(field);
    return new JsonFields(
      this.name,
      value === undefined ? path : `${path}.`,
      value,
    );
  }

  /** The objects in a field that is a list. */
  list(field: string): readonly JsonFields[] {
    const value = this.get(field) ?? [];
    if (!Array.isArray(value)) return this.fail(field, "expected a list");
    return value.map((item, i) =>
      new JsonFields(this.name, `${this.#path}${field}[${i}].`, item)
    );
  }

  /** The field, if it is one of some values; else it throws. */
  oneOf<T>(field: string, ...values: readonly T[]): T {
    const value = this.get(field) as T;
    if (values.includes(value)) return value;
    return this.fail(
      field,
      `expected ${values.map(shownJson).join(" or ")}`,
    );
  }
}

/** A value as an error message shows it. */
export function shownJson(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
