import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CorpusError,
  openCorpus,
  parseGettextCatalogue,
  readGettextCatalogues,
  readPairTable,
  readParallelText,
  textCorpus,
} from "../../data/mod.ts";
import { inFolder } from "./in_folder.ts";

Deno.test("parallel text: line n of one is line n of the other", async () => {
  const english = textCorpus("en", "One.\r\n\r\n Two. \r\nThree.\r\nFour.");
  const german = textCorpus("de", "Eins.\n\nZwei.\n\nVier.\n");
  assertEquals(await Array.fromAsync(readParallelText(english, german)), [
    { source: "One.", target: "Eins." },
    { source: "Two.", target: "Zwei." },
    { source: "Four.", target: "Vier." },
  ]);
});

Deno.test("parallel text: different numbers of lines and files are told", async () => {
  const three = textCorpus("en", "a\nb\nc\n");
  const five = textCorpus("de", "a\nb\nc\nd\ne");
  for (
    const [source, target, counts] of [
      [three, five, "en and de: 3 and 5 lines"],
      [five, three, "de and en: 5 and 3 lines"],
    ] as const
  ) {
    await assertRejects(
      () => Array.fromAsync(readParallelText(source, target)),
      CorpusError,
      counts,
    );
  }
  await inFolder({ "en/1": "a", "en/2": "b", "de/1": "a" }, async (folder) => {
    const source = await openCorpus([`${folder}/en`]);
    const target = await openCorpus([`${folder}/de`]);
    await assertRejects(
      () => Array.fromAsync(readParallelText(source, target)),
      CorpusError,
      "2 and 1 files; expected as many",
    );
  });
});

Deno.test("pair table: two columns, with a header or without", async () => {
  const read = (text: string) =>
    Array.fromAsync(readPairTable(textCorpus("pairs.tsv", text)));
  const pairs = [
    { source: "One.", target: "Eins." },
    { source: "Two.", target: "Zwei." },
  ];
  assertEquals(await read("One.\tEins.\n\nTwo.\tZwei.\tsource: us\r\n"), pairs);
  assertEquals(
    await read("Source\tTarget\nOne.\tEins.\nx\t\nTwo.\tZwei."),
    pairs,
  );
  await assertRejects(
    () => read("One.\tEins.\nTwo. Zwei.\n"),
    CorpusError,
    "pairs.tsv:2: no tab; expected a sentence, a tab and its translation",
  );
});

/** A catalogue of messages, as `msgfmt` would lay it out. */
function catalogue(
  messages: readonly (readonly [string, string | Uint8Array])[],
  littleEndian = true,
): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const columns = [0, 1].map((column) =>
    messages.map((message) => {
      const text = message[column];
      return typeof text === "string" ? encoder.encode(text) : text;
    })
  );
  const tables = [28, 28 + 8 * messages.length];
  let place = 28 + 16 * messages.length;
  const size = columns.flat().reduce((sum, { length }) => sum + length + 1, 0);
  const bytes = new Uint8Array(place + size);
  const view = new DataView(bytes.buffer);
  const set = (at: number, value: number) =>
    view.setUint32(at, value, littleEndian);
  [0x950412de, 0, messages.length, ...tables, 0, 0]
    .forEach((value, field) => set(4 * field, value));
  columns.forEach((texts, column) =>
    texts.forEach((text, entry) => {
      set(tables[column] + 8 * entry, text.length);
      set(tables[column] + 8 * entry + 4, place);
      bytes.set(text, place);
      place += text.length + 1;
    })
  );
  return bytes;
}

const header: [string, string] = [
  "",
  "Project-Id-Version: x\nContent-Type: text/plain; charset=UTF-8\n",
];

Deno.test("gettext: contexts, plural forms, both byte orders", () => {
  for (const littleEndian of [true, false]) {
    const bytes = catalogue([
      header,
      ["%d file\0%d files", "%d Datei\0%d Dateien"],
      ["<b>Open</b>\n", "<b>Öffnen</b>\n"],
      ["menu\x04Close", "Schließen"],
      ["untranslated", ""],
    ], littleEndian);
    assertEquals(parseGettextCatalogue(bytes, "x.mo"), [
      { source: "%d file", target: "%d Datei" },
      { source: "<b>Open</b>", target: "<b>Öffnen</b>" },
      { source: "Close", target: "Schließen" },
    ]);
  }
});

Deno.test("gettext: the charset is that of the header", () => {
  const latin = (label: string) =>
    catalogue([
      ["", `Content-Type: text/plain; charset=${label}\n`],
      ["beautiful", Uint8Array.of(0x73, 0x63, 0x68, 0xf6, 0x6e)],
    ]);
  assertEquals(parseGettextCatalogue(latin("ISO-8859-1"), "x.mo"), [
    { source: "beautiful", target: "schön" },
  ]);
  const messages = {
    "UTF-8": "x.mo: entry 1 isn't valid utf-8",
    "klingon": 'x.mo: its header names the charset "klingon"',
  };
  for (const [label, message] of Object.entries(messages)) {
    assertThrows(
      () => parseGettextCatalogue(latin(label), "x.mo"),
      CorpusError,
      message,
    );
  }
});

Deno.test("gettext: broken catalogues are told", () => {
  const whole = catalogue([header, ["a", "b"]]);
  const changed = (place: number, value: number) => {
    const bytes = whole.slice();
    new DataView(bytes.buffer).setUint32(place, value, true);
    return bytes;
  };
  const broken: [Uint8Array<ArrayBuffer>, string][] = [
    [whole.slice(0, 10), "10 bytes; a gettext catalogue has at least 20"],
    [
      whole.slice(0, 40),
      "entry 0 has 0 bytes from byte 60 on, behind the end at 40",
    ],
    [whole.slice(0, -4), "behind the end at 124"],
    [changed(0, 0x04030201), "it begins with 0x04030201"],
    [changed(4, 7 << 16), "a catalogue of revision 7"],
    [changed(8, 1e9), "behind the end"],
    [changed(12, 0xfffffff0), "behind the end"],
    [changed(28 + 12, 0xffffffff), "behind the end"],
  ];
  for (const [bytes, message] of broken) {
    assertThrows(
      () => parseGettextCatalogue(bytes, "x.mo"),
      CorpusError,
      message,
    );
  }
});

Deno.test("gettext: all catalogues of a language in a folder", () =>
  inFolder({
    "de/LC_MESSAGES/b.mo": catalogue([header, ["a", "A"], ["c", "C"]]),
    "de/LC_MESSAGES/a.mo": catalogue([header, ["a", "A"], ["a", "Ä"]]),
    "de/LC_MESSAGES/a.po": "not a catalogue",
    "fr/LC_MESSAGES/a.mo": catalogue([header, ["a", ""]]),
  }, async (folder) => {
    assertEquals(await readGettextCatalogues(`${folder}/`, "de"), [
      { source: "a", target: "A" },
      { source: "a", target: "Ä" },
      { source: "c", target: "C" },
    ]);
    const file = `${folder}/de/LC_MESSAGES/b.mo`;
    assertEquals((await readGettextCatalogues(file, "de")).length, 2);
    for (
      const [path, language, message] of [
        [folder, "es", "holds no catalogues (.mo); in "],
        [folder, "fr", "holds no translated messages"],
        [`${folder}/x`, "de", "no such folder"],
        [`${folder}/x.mo`, "de", "no such file"],
      ]
    ) {
      await assertRejects(
        () => readGettextCatalogues(path, language),
        CorpusError,
        message,
      );
    }
  }));
