/** Texts that may make an expression go back again and again: what its own loops take, repeated. */
import { visitRegExpAST } from "@eslint-community/regexpp";
import type { AST } from "@eslint-community/regexpp";
import { Stepper } from "./steps.ts";

/** A text of any length: something first, something again and again, something at which it fails. */
export interface Attack {
  readonly prefix: string;
  readonly pump: string;
  readonly suffix: string;
}

/** Characters that stand for all: of each one that is in a class, one that is tried. */
const CHARACTERS = Array.from(" \t\n\r\0aAzZ09_-.,:;/\\\"'`[](){}<>=+*?!@#$%&|~^é中");
const SUFFIXES = ["", "\0", "\n", "a", " ", "\0\n", "\n\0"];
/** A loop is what may be repeated so often. */
const MANY = 20;
const WORDS = 6;

type Taken = AST.Character | AST.CharacterSet | AST.CharacterClass | AST.ExpressionCharacterClass;

/** The attacks that an expression's own loops suggest. */
export function attacksOn(stepper: Stepper): Attack[] {
  const attacks = new Map<string, Attack>();
  const add = (prefix: string, pump: string): void => {
    if (pump === "") return;
    for (const suffix of SUFFIXES)
      attacks.set(JSON.stringify([prefix, pump, suffix]), { prefix, pump, suffix });
  };
  for (const loop of loopsOf(stepper.pattern)) {
    const before = wordsBefore(stepper, loop);
    const inside = wordsOf(stepper, loop.element);
    for (const prefix of before) {
      for (const word of inside) {
        add(prefix, word);
        add("", prefix + word);
        for (const other of inside.slice(0, 3)) add(prefix, word + other);
      }
      add("", prefix);
    }
  }
  return [...attacks.values()];
}

function loopsOf(pattern: AST.Pattern): AST.Quantifier[] {
  const loops: AST.Quantifier[] = [];
  visitRegExpAST(pattern, {
    onQuantifierEnter: (quantifier) => {
      if (quantifier.max >= MANY) loops.push(quantifier);
    },
  });
  return loops;
}

/** Words that bring the engine to a loop. */
function wordsBefore(stepper: Stepper, loop: AST.Element): string[] {
  const parent = loop.parent as AST.Node;
  if (parent.type === "Pattern" || parent.type === "RegExpLiteral") return [""];
  if (parent.type !== "Alternative") return wordsBefore(stepper, parent as AST.Element);
  const before = parent.elements.slice(0, parent.elements.indexOf(loop));
  const near = before.reduce<string[]>((words, element) => joined(words, wordsOf(stepper, element)), [""]);
  const outside = parent.parent.type === "Pattern" ? [""] : wordsBefore(stepper, parent.parent);
  return joined(outside, near);
}

/** A few words that a node takes, each loop in it once or as rarely as it may. */
function wordsOf(stepper: Stepper, node: AST.Element): string[] {
  switch (node.type) {
    case "Character":
      return [String.fromCodePoint(node.value)];
    case "CharacterSet":
    case "CharacterClass":
    case "ExpressionCharacterClass":
      return charactersFor(stepper.pattern)
        .filter((character) => stepper.takes(node as Taken, character))
        .slice(0, 40);
    case "Quantifier": {
      const once = wordsOf(stepper, node.element).map((word) => word.repeat(Math.max(1, node.min)));
      return node.min === 0 ? ["", ...once] : once;
    }
    case "Group":
    case "CapturingGroup":
      return node.alternatives
        .flatMap(({ elements }) =>
          elements.reduce<string[]>((words, element) => joined(words, wordsOf(stepper, element)), [""]),
        )
        .slice(0, 40);
    case "Assertion":
    case "Backreference":
      return [""];
  }
}

function joined(left: readonly string[], right: readonly string[]): string[] {
  const all = left.flatMap((first) => right.map((second) => first + second));
  if (all.length <= WORDS * 4) return all;
  // Those of the expression's own characters, and the others spread over all, so that no kind is left out.
  const stride = all.length / (WORDS * 2);
  const spread = Array.from({ length: WORDS * 2 }, (_, at) => all[Math.floor(at * stride)] ?? "");
  return [...new Set([...all.slice(0, WORDS * 2), ...spread])];
}

/** Those that stand in the expression come first: they decide what it does. */
function charactersFor(pattern: AST.Pattern): string[] {
  const own = new Set<string>();
  visitRegExpAST(pattern, { onCharacterEnter: ({ value }) => void own.add(String.fromCodePoint(value)) });
  return [...new Set([...own, ...CHARACTERS])];
}

/** What was found to be more than linear. */
export interface Finding extends Attack {
  /** Steps for a text of `SHORT` and of twice as many characters. */
  readonly steps: readonly [number, number];
}

const SHORT = 60;
/** An exact square is four times as much at twice the length, and a line twice. */
const RATIO = 3;
/** Below this there is nothing to look at: few steps for each character. */
const FEW = 6 * SHORT;
const MOST = 60_000;

/** The first attack on an expression under which its steps grow faster than the text; `undefined` where none does. */
export function findAttack(source: string, flags: string): Finding | undefined {
  const stepper = new Stepper(source, flags);
  for (const attack of attacksOn(stepper)) {
    const first = stepper.steps(textOf(attack, SHORT), MOST);
    if (first < FEW) continue;
    const second = stepper.steps(textOf(attack, 2 * SHORT), MOST * 4);
    if (first >= MOST || second > RATIO * first) return { ...attack, steps: [first, second] };
  }
  return undefined;
}

function textOf({ prefix, pump, suffix }: Attack, length: number): string {
  return prefix + pump.repeat(Math.ceil(length / pump.length)) + suffix;
}
