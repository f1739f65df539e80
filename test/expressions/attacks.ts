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
  const alphabet = new Alphabet(stepper);
  const suffixes = [...new Set(SUFFIXES.map((suffix) => alphabet.spell(suffix)))];
  const wordsOf = (node: AST.Element): string[] => wordsOfNode(stepper, alphabet, node);
  const add = (prefix: string, pump: string): void => {
    if (pump === "") return;
    for (const suffix of suffixes)
      attacks.set(JSON.stringify([prefix, pump, suffix]), { prefix, pump, suffix });
  };
  for (const loop of loopsOf(stepper.pattern)) {
    const before = wordsBefore(wordsOf, loop);
    const inside = wordsOf(loop.element);
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
function wordsBefore(wordsOf: (node: AST.Element) => string[], loop: AST.Element): string[] {
  const parent = loop.parent as AST.Node;
  if (parent.type === "Pattern" || parent.type === "RegExpLiteral") return [""];
  if (parent.type !== "Alternative") return wordsBefore(wordsOf, parent as AST.Element);
  const before = parent.elements.slice(0, parent.elements.indexOf(loop));
  const near = before.reduce<string[]>((words, element) => joined(words, wordsOf(element)), [""]);
  const outside = parent.parent.type === "Pattern" ? [""] : wordsBefore(wordsOf, parent.parent);
  return joined(outside, near);
}

/** A few words that a node takes, each loop in it once or as rarely as it may. */
function wordsOfNode(stepper: Stepper, alphabet: Alphabet, node: AST.Element): string[] {
  const wordsOf = (inner: AST.Element): string[] => wordsOfNode(stepper, alphabet, inner);
  switch (node.type) {
    case "Character":
      return [String.fromCodePoint(node.value)];
    case "CharacterSet":
    case "CharacterClass":
    case "ExpressionCharacterClass":
      return alphabet.characters.filter((character) => stepper.takes(node, character)).slice(0, 40);
    case "Quantifier": {
      const once = wordsOf(node.element).map((word) => word.repeat(Math.max(1, node.min)));
      return node.min === 0 ? ["", ...once] : once;
    }
    case "Group":
    case "CapturingGroup":
      return node.alternatives
        .flatMap(({ elements }) =>
          elements.reduce<string[]>((words, element) => joined(words, wordsOf(element)), [""]),
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

/**
 * The characters that words are made of. Of those that every part of the expression takes alike, the steps are alike too: one
 * of them stands for all. Those that stand in the expression come first, they decide what it does.
 */
class Alphabet {
  readonly characters: readonly string[];
  readonly #standIn: (character: string) => string;

  constructor(stepper: Stepper) {
    const own = new Set<string>();
    const parts = new Map<string, Taken>();
    let refersBack = false;
    const part = (node: Taken): void => {
      // What stands in a class is part of it.
      if (node.parent.type === "Alternative" || node.parent.type === "Quantifier") parts.set(node.raw, node);
    };
    visitRegExpAST(stepper.pattern, {
      onCharacterEnter: (node) => {
        own.add(String.fromCodePoint(node.value));
        part(node);
      },
      onCharacterSetEnter: part,
      onCharacterClassEnter: part,
      onExpressionCharacterClassEnter: part,
      onBackreferenceEnter: () => (refersBack = true),
    });
    const first = new Map<string, string>();
    // A reference compares characters with each other: there none stands for another.
    const likenessOf = (character: string): string =>
      refersBack
        ? character
        : [...parts.values()].map((node) => Number(stepper.takes(node, character))).join("") +
          Number(/\w/.test(character)) +
          Number(character === "\n");
    this.#standIn = (character) => first.get(likenessOf(character)) ?? character;
    for (const character of [...own, ...CHARACTERS])
      if (!first.has(likenessOf(character))) first.set(likenessOf(character), character);
    this.characters = [...first.values()];
  }

  /** A text in these characters, under which the expression does the same. */
  spell(text: string): string {
    return Array.from(text, this.#standIn).join("");
  }
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
