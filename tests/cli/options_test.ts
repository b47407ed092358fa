/** Option tables: arguments, configuration files, help, suggestions. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/failure.ts";
import { generateCommand } from "../../cli/generate_command.ts";
import { helpText } from "../../cli/help.ts";
import { flagName } from "../../cli/option.ts";
import {
  completeOptions,
  parseArguments,
  parseConfiguration,
} from "../../cli/parse.ts";
import { editDistance, nearest } from "../../cli/suggestion.ts";
import { trainCommand } from "../../cli/train_command.ts";

Deno.test("arguments become values", () => {
  const cases: [string[], Record<string, unknown>][] = [
    [[], {}],
    [["--layers", "12"], { layers: 12 }],
    [["--layers=12", "--lr=3e-4"], { layers: 12, lr: 3e-4 }],
    [["--layers", "2", "--layers", "3"], { layers: 3 }],
    [["--weight-decay", "0"], { weightDecay: 0 }],
    [["--json", "--safe"], { json: true, safe: true }],
    [["--data", "a", "--data", "b"], { data: ["a", "b"] }],
    // What a shell makes of --data *.txt
    [["--data", "a", "b", "3", "--batch", "4"], {
      data: ["a", "b", "3"],
      batch: 4,
    }],
    [["--resume"], { resume: "newest" }],
    [["--resume", "--steps", "9"], { resume: "newest", steps: 9 }],
    [["--resume", "runs/a"], { resume: "runs/a" }],
    [["--untied", "--safe=false"], { untied: true, safe: false }],
    [["--untied=true"], { untied: true }],
    [["-h"], { help: true }],
    [["--device", "reference"], { device: "reference" }],
    [["--help"], { help: true }],
    [["--levels", "2"], { levels: [2] }],
    [["--levels", "1,2"], { levels: [1, 2] }],
    [["--coarsening=4, 2,2"], { coarsening: [4, 2, 2] }],
    [["--relaxation", "F,FCF"], { relaxation: ["F", "FCF"] }],
    [["--guess", "skip", "--way-back", ".5"], { guess: "skip", wayBack: 0.5 }],
  ];
  for (const [args, expected] of cases) {
    assertEquals<unknown>(parseArguments(trainCommand, args), expected);
  }
});

Deno.test("a prompt may be any text", () => {
  for (
    const prompt of ["- item", "", "--", "-1", "--no such option", "=", "\n"]
  ) {
    const args = ["--prompt", prompt, "--count", "3"];
    const given = parseArguments(generateCommand, args);
    assertEquals<unknown>(given, { prompt, count: 3 });
  }
});

Deno.test("wrong arguments are refused with a line that helps", () => {
  const cases: [string[], string][] = [
    [["--layres", "3"], "no option --layres; did you mean --layers?"],
    [["--learning-rate", "3"], "no option --learning-rate"],
    [["--batch-size=3"], "no option --batch-size; did you mean --batch?"],
    [["--DIM", "3"], "no option --DIM; did you mean --dim?"],
    [["-x"], "no option -x"],
    [["--layers"], "--layers needs a value: expected an integer ≥ 1"],
    [["--layers", "0"], "--layers 0: expected an integer ≥ 1"],
    [["--layers", "2.5"], "--layers 2.5: expected an integer ≥ 1"],
    [["--layers", "many"], "--layers many: expected an integer ≥ 1"],
    [["--lr", "0"], "--lr 0: expected a number > 0"],
    [["--lr=-1"], "--lr -1: expected a number > 0"],
    [["--lr", "-1"], "--lr -1: expected a number > 0"],
    [["--layers", "--dim", "8"], "--layers needs a value"],
    [["--data", ""], "--data needs a value"],
    [["--resume", ""], "--resume needs a value"],
    [["--untied=no"], "--untied=no: expected true or false"],
    [["--lr", "Infinity"], "--lr Infinity: expected a number > 0"],
    [["--dropout", "1"], "--dropout 1: expected a number ≥ 0 and < 1"],
    [["--validation", "0.6"], "expected a number > 0 and ≤ 0.5"],
    [["--threads", "65"], "--threads 65: expected an integer from 1 to 64"],
    [
      ["--device", "gpu"],
      "--device gpu: expected auto or webgpu or wasm or reference",
    ],
    [["--data="], "--data needs a value"],
    [["--levels"], "--levels needs a value: expected an integer ≥ 1"],
    [["--levels="], "--levels needs a value"],
    [["--levels", "1,2,3"], "an integer ≥ 1, or up to 2 with commas between"],
    [["--levels", "0"], "--levels 0: expected an integer ≥ 1"],
    [["--coarsening", "4,1"], "--coarsening 4,1: expected an integer ≥ 2"],
    [["--coarsening", "4,"], "≥ 2, or several with commas between them"],
    [["--relaxation", "FC"], "expected F or FCF or FCFCF, or several"],
    [["--solver", "multigrid"], "expected mgrit or serial"],
    [["--cycle", "W"], "--cycle W: expected V or F"],
    [["--guess", "last"], "--guess last: expected input or zero or skip"],
    [["--smallest-cosine", "2"], "expected a number from -1 to 1"],
    [["--largest-ratio", "0"], "--largest-ratio 0: expected a number > 0"],
    [["--most-iterations", "0"], "expected an integer ≥ 1"],
    [["--end-time", "0"], "--end-time 0: expected a number > 0"],
    [["book.txt"], 'unexpected argument "book.txt": did you mean --data'],
  ];
  for (const [args, message] of cases) {
    assertThrows(
      () => parseArguments(trainCommand, args),
      UsageError,
      message,
      args.join(" "),
    );
  }
});

Deno.test("a configuration file says what the command line says", () => {
  const parse = (text: string) =>
    parseConfiguration(trainCommand, "file.json", text, ["config", "help"]);
  assertEquals<unknown>(
    parse('{"layers": 8, "weight-decay": 0, "data": "a", "json": true}'),
    { layers: 8, weightDecay: 0, data: ["a"], json: true },
  );
  assertEquals<unknown>(
    parse('{"levels": [1, 2], "coarsening": 4, "relaxation": ["F"]}'),
    { levels: [1, 2], coarsening: [4], relaxation: ["F"] },
  );
  const wrong: [string, string][] = [
    ["{", "file.json isn't JSON"],
    ["[]", "file.json: expected a JSON object"],
    ['{"layres": 8}', 'no option "layres"; did you mean "layers"?'],
    ['{"weightDecay": 0}', 'did you mean "weight-decay"?'],
    ['{"layers": "8"}', '"layers": "8": expected an integer ≥ 1'],
    ['{"json": "yes"}', '"json": "yes": expected true or false'],
    ['{"data": [3]}', '"data": [3]: expected a text or a list of texts'],
    ['{"levels": "1,2"}', '"levels": "1,2": expected an integer ≥ 1, or up'],
    ['{"levels": []}', '"levels": []: expected an integer ≥ 1, or up to 2'],
    ['{"config": "x.json"}', '"config" can\'t stand in a file'],
  ];
  for (const [text, message] of wrong) {
    assertThrows(() => parse(text), UsageError, message, text);
  }
});

Deno.test("what is given last counts, and defaults fill the rest", () => {
  const values = completeOptions(
    trainCommand,
    { layers: 8, dim: 64 },
    { dim: 32 },
  );
  assertEquals([values.layers, values.dim], [8, 32]);
  assertEquals(values.heads, trainCommand.options.heads.default);
  assertEquals(
    Object.keys(values).toSorted(),
    Object.keys(trainCommand.options).toSorted(),
  );
});

for (const command of [trainCommand, generateCommand]) {
  Deno.test(`${command.name}: every default is a value of its option`, () => {
    for (const [name, option] of Object.entries(command.options)) {
      if (option.default === undefined || option.repeatable) continue;
      assertEquals<unknown>(
        option.accept(option.default),
        option.default,
        name,
      );
    }
  });

  Deno.test(`${command.name}: help lists every option and its default`, () => {
    const help = helpText(command as typeof trainCommand);
    const words = help.replaceAll(/\s+/g, " ");
    for (const [name, option] of Object.entries(command.options)) {
      assert(words.includes(`--${flagName(name)} `), name);
      assert(words.includes(option.help), name);
      assert(words.includes(option.section), name);
      assert(
        option.defaultText === undefined ||
          words.includes(`default: ${option.defaultText})`),
        name,
      );
    }
    for (const line of help.split("\n")) assert(line.length <= 80, line);
  });
}

Deno.test("the nearest name is suggested, if any is near", () => {
  assertEquals(editDistance("layers", "layers"), 0);
  assertEquals(editDistance("", "abc"), 3);
  assertEquals(editDistance("layres", "layers"), 1);
  assertEquals(editDistance("kitten", "sitting"), 3);
  const names = ["batch", "seed", "seq", "steps", "threads"];
  assertEquals(nearest("thread", names), "threads");
  assertEquals(nearest("sequence", names), "seq");
  assertEquals(nearest("step", names), "steps");
  assertEquals(nearest("zebra", names), undefined);
});
