/** The kinds of tasks: options, defaults and help of each. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { UsageError } from "../../cli/failure.ts";
import { frozenBy } from "../../cli/freezing.ts";
import { helpText } from "../../cli/help.ts";
import { commandFor, taskKind } from "../../cli/tasks/mod.ts";
import { taskNames, trainCommand } from "../../cli/train_command.ts";
import { completeValues, readTrainRequest } from "../../cli/train_request.ts";
import { device, zeros } from "../../tensor/mod.ts";

Deno.test("every task's defaults are values that its options take", () => {
  for (const name of taskNames) {
    const { defaults } = taskKind(name);
    for (const [key, value] of Object.entries(defaults)) {
      const option = trainCommand.options[key as keyof typeof defaults];
      assertEquals<unknown>(option.accept(value), value, `${name}: ${key}`);
    }
  }
});

Deno.test("the help of a task has its own options and defaults", () => {
  for (const name of taskNames) {
    const text = helpText(commandFor(taskKind(name)));
    const { steps } = completeValues({ task: name });
    assertMatch(text, new RegExp(`--steps N[^(]*\\([^)]*default: ${steps}`));
    assertEquals(text.includes("--patch N"), name === "vit");
    assertEquals(text.includes("--beams N"), name === "translation");
    assertEquals(text.includes("--untied"), ["gpt", "bert"].includes(name));
  }
});

Deno.test("a shallow network has one level unless levels are asked for", async () => {
  const { levels } = completeValues({ task: "vit" });
  assertEquals(levels, [1, 2]);
  const { values } = await readTrainRequest(["--task", "vit", "--layers", "4"]);
  assertEquals(values.levels, undefined);
  await assertRejects(
    () => readTrainRequest("--task vit --layers 4 --levels 1,2".split(" ")),
    UsageError,
    "--levels 2",
  );
});

Deno.test("options of other tasks are refused", async () => {
  for (
    const [args, words] of [
      ["--patch 4", "--patch 4 is for --task vit, not for gpt"],
      [
        "--task vit --tokenizer bpe",
        "--tokenizer bpe is for --task gpt, bert, translation, classify, not " +
        "for vit",
      ],
      ["--task tagger --untied", "--untied is for --task gpt, bert, not for"],
      ["--task gtp", "--task gtp: expected gpt or bert or tagger"],
    ]
  ) {
    await assertRejects(
      () => readTrainRequest(args.split(" ")),
      UsageError,
      words,
    );
  }
});

Deno.test("options that the data has no use for are refused", async () => {
  for (
    const [args, words] of [
      ["--task tagger --column feats", "--column feats needs --data"],
      ["--task classify --label-column 2", "--label-column 2 needs --data"],
      [
        "--validation 0.2 --validation-data a.txt --data b.txt",
        "--validation-data is there for that",
      ],
      [
        "--task translation --validation 0.2",
        "the numbers have others for that",
      ],
    ]
  ) {
    await assertRejects(
      () => readTrainRequest(args.split(" ")),
      UsageError,
      words,
    );
  }
});

Deno.test("parameters are frozen by their names or their part's", async () => {
  await device("reference");
  const tree = () => ({
    open: { tokens: zeros([2]) },
    block: { mlp: { weight: zeros([2]), bias: zeros([2]) } },
  });
  assertEquals(frozenBy([], tree), undefined);
  const frozen = frozenBy(["open", "block.mlp.bias"], tree)!;
  assert(frozen("open.tokens") && frozen("block.mlp.bias"));
  assert(!frozen("block.mlp.weight"));
  assertThrows(
    () => frozenBy(["block.mpl"], tree),
    UsageError,
    "--freeze block.mpl: the model has no such parameters; did you mean " +
      "block.mlp?",
  );
  assertThrows(
    () => frozenBy(["open", "block"], tree),
    UsageError,
    "--freeze open, block: leaves nothing to train",
  );
});
