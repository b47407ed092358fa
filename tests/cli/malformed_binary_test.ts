/** Malformed images, catalogues and weights: one clear message, and nothing is written. */

import { writeSafetensors } from "../../models/mod.ts";
import { encodePng, type PngImage } from "../data/encode_png.ts";
import {
  bytes,
  catalogue,
  type Files,
  filesOf,
  huggingFaceFolder,
  idx,
  idxFolder,
  table,
} from "./malformed_files.ts";
import { type Case, refused } from "./refusal.ts";

const small = "--dim 8 --heads 2 --layers 2 --solver serial --batch 2";

refused(
  "images in IDX files",
  `--task vit ${small} --patch 4 --data @m`,
  () => {
    const image = "@m/train-images-idx3-ubyte";
    const names = {
      gz: "m/train-images-idx3-ubyte.gz",
      labels: "m/train-labels-idx1-ubyte",
    };
    return [
      [
        idxFolder(bytes("text")),
        "",
        `${image}: not an IDX file: it begins with`,
      ],
      [
        idxFolder(idx(20, 8, 8).slice(0, 99)),
        "",
        `${image}: 83 bytes after the`,
      ],
      [
        idxFolder(idx(20, 8, 8), idx(19)),
        "",
        "labels-idx1-ubyte: 19 labels for",
      ],
      [
        idxFolder(idx(20, 9, 8)),
        "",
        `${image} has images of 8 × 9; a ViT takes`,
      ],
      [
        idxFolder(idx(20, 9, 9)),
        "",
        "--patch 4 doesn't divide images of 9 × 9",
      ],
      [
        idxFolder(),
        "--shift 8",
        "--shift 8 moves images of 8 × 8 pixels out of",
      ],
      [idxFolder(bytes()), "", `${image}: the file is empty`],
      [
        { [names.gz]: bytes([0x1f, 0x8b, 8, 0]), [names.labels]: idx(20) },
        "",
        `${image}.gz: its gzip data are damaged or cut off`,
      ],
      [
        {
          ...idxFolder(),
          "v/t10k-images-idx3-ubyte": idx(4, 4, 4),
          "v/t10k-labels-idx1-ubyte": idx(4),
        },
        "--validation-data @v",
        "@v/t10k-images-idx3-ubyte: images of 4 × 4, 1 channel; expected 8 × 8",
      ],
      [
        { "m/data_batch_1.bin": bytes("x") },
        "",
        "expected records of 3073 bytes",
      ],
    ];
  },
);

refused(
  "images in folders",
  `--task vit ${small} --patch 4 --data @m`,
  async () => {
    const png = (options: Partial<PngImage> = {}) => {
      const { width = 8, height = 8 } = options;
      const rows = Array.from({ length: height }, () => Array(width).fill(9));
      return encodePng({
        width,
        height,
        colour: 0,
        depth: 8,
        rows,
        ...options,
      });
    };
    const good = await png();
    const beside = (picture: Uint8Array): Files => ({
      "m/a/1.png": good,
      "m/a/2.png": picture,
      "m/b/1.png": good,
    });
    return [
      [beside(good.slice(0, 50)), "", "@m/a/2.png: the PNG image is cut off"],
      [
        beside(good.with(45, 0)),
        "",
        "@m/a/2.png: damaged: the checksum of IDAT",
      ],
      [
        beside(await png({ interlace: 1 })),
        "",
        "@m/a/2.png: an interlaced PNG",
      ],
      [beside(await png({ width: 9 })), "", "@m/a/2.png: an image of 9 × 8"],
      [beside(bytes("Please")), "", "@m/a/2.png: not a PNG, PPM or PGM image"],
      [
        { "m/a/1.png": good, "m/b/x": "" },
        "",
        "@m/b: none of the 1 files in it",
      ],
      [
        { "m/1.png": good },
        "",
        "@m: holds no images; expected a folder for each",
      ],
      [
        { "m/a/1.png": good, "m/a/2.png": good },
        "--validation 0.5",
        "all images are of the class",
      ],
    ];
  },
);

refused("translations", "--task translation --tokenizer byte", () => {
  const two = { "s.txt": "a\nb\n", "t.txt": "c\n" };
  const gettext = (content: Uint8Array, message: string): Case => [
    { "l/de/LC_MESSAGES/x.mo": content },
    "--data gettext:@l --language de",
    `@l/de/LC_MESSAGES/x.mo: ${message}`,
  ];
  return [
    [two, "--data @s.txt --target @t.txt", "2 and 1 lines; expected as many"],
    [two, "--data @s.txt", "@s.txt:1: no tab; expected a sentence, a tab and"],
    [two, "--target @t.txt", "--target needs --data, the sentences that it"],
    [{ "s.tsv": "source\ttarget\n" }, "--data @s.tsv", "@s.tsv: there is no"],
    [
      two,
      "--data @s.txt --language de",
      "--language de is for --data gettext:",
    ],
    [
      { "s.tsv": "much too long\tb\n".repeat(20) },
      "--data @s.tsv --seq 4",
      "@s.tsv: all 18 pairs have more than 4 tokens",
    ],
    gettext(catalogue({ magic: 7 }), "not a gettext catalogue: it begins with"),
    gettext(catalogue({ start: 999 }), "entry 0 has 0 bytes from byte 999 on"),
    gettext(catalogue({ charset: "klingon" }), "its header names the charset"),
    gettext(catalogue({}).slice(0, 15), "15 bytes; a gettext catalogue has"),
    [
      { "l/de/LC_MESSAGES/x.mo": catalogue({}) },
      "--data gettext:@l --language fr",
      "@l/fr/LC_MESSAGES: holds no catalogues (.mo); in @l there are de",
    ],
    [{ "l/x": "" }, "--data gettext:@l", "needs --language, such as de"],
    [{ "x.mo": catalogue({}) }, "--data @x.mo", "a catalogue stands alone"],
  ];
});

refused(
  "trained models",
  "--task classify --from @h --data @t.tsv --seq 8",
  async () => {
    const model = await huggingFaceFolder();
    const files = filesOf(model);
    const { config, arrays, vocabulary } = model;
    const weights = files["h/model.safetensors"] as Uint8Array;
    const changed = (name: string, content: string | Uint8Array): Files => ({
      ...files,
      [`h/${name}`]: content,
    });
    const configured = (fields: Record<string, unknown>): Files =>
      changed("config.json", JSON.stringify({ ...config, ...fields }));
    const key = "bert.encoder.layer.1.output.dense.weight";
    const { [key]: array, ...others } = arrays;
    const weighed = (more: typeof arrays): Files =>
      changed("model.safetensors", writeSafetensors({ ...others, ...more }));
    const { "h/config.json": _, ...unconfigured } = files;
    const h = "@h/model.safetensors:";
    return [
      [
        files,
        "--seq 9",
        "--seq 9 is longer than the 8 tokens that the trained model",
      ],
      [files, "--dim 8", "--dim 8 contradicts --from @h"],
      [
        files,
        "--task gpt",
        "--from @h is for --task classify, tagger, not for",
      ],
      [
        unconfigured,
        "",
        "@h/config.json: no such file; expected a folder with",
      ],
      [changed("config.json", "{"), "", "@h/config.json:1: not JSON"],
      [configured({ model_type: "gpt2" }), "", 'model_type "gpt2" isn\'t'],
      [configured({ hidden_size: "4" }), "", 'hidden_size: "4": expected a'],
      [
        configured({ num_attention_heads: 3 }),
        "",
        "must be a multiple of the 3",
      ],
      [
        configured({ hidden_size: 8 }),
        "",
        "not [8, 8] as the configuration says",
      ],
      [
        configured({ num_hidden_layers: 1 }),
        "",
        `${h} classifier weights: unexp`,
      ],
      [configured({ vocab_size: 7 }), "", "@h: its tokenizer has 8 tokens"],
      [
        changed("vocab.txt", [...vocabulary, "x"].join("\n")),
        "",
        "has 9 tokens",
      ],
      [
        changed("model.safetensors", weights.slice(0, 99)),
        "",
        "the file is cut off",
      ],
      [
        changed("model.safetensors", weights.slice(0, -9)),
        "",
        "the file is cut off",
      ],
      [
        changed("model.safetensors", "version https://"),
        "",
        `${h} safetensors: a`,
      ],
      [changed("model.safetensors", ""), "", `${h} the file is empty`],
      [weighed({}), "", `${h} classifier weights: "${key}" is missing`],
      [weighed({ [key]: { ...array, shape: [8, 4] } }), "", "has shape [8, 4]"],
      [weighed({ [key]: array, "x.y": array }), "", "weights: unexpected x.y"],
      [{ "t.tsv": table, h: "a file" }, "", "--from @h: holds no checkpoint"],
    ];
  },
);
